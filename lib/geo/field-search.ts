/**
 * Finds one field of an encoded record. Of a record only that is decoded: to decode all of a city's record takes 20 times
 * as long as to walk over it. The record was checked (value-check.ts), so every way through it comes to an end.
 */
import type { FieldPath, PathStep } from './field-path.ts';
import { ARRAY, BOOLEAN, BYTES, MAP, POINTER, type ValueHeads } from './value-heads.ts';

/** Where the text, number or boolean stands that `path` leads to from `at`, maybe a pointer to it; -1: there is none. */
export function findField(heads: ValueHeads, at: number, path: FieldPath): number {
  for (const step of path) {
    const items = readTarget(heads, at);
    if (heads.type === MAP) at = findEntry(heads, items, step);
    else if (heads.type === ARRAY) at = findItem(heads, items, step);
    else return -1;
    if (at < 0) return -1;
  }
  readTarget(heads, at);
  return heads.type === MAP || heads.type === ARRAY || heads.type === BYTES ? -1 : at;
}

/** Reads the head at `at`, or that of what a pointer there leads to; gives the offset behind it. */
function readTarget(heads: ValueHeads, at: number): number {
  let behind = heads.read(at);
  while (heads.type === POINTER) behind = heads.read(heads.size);
  return behind;
}

/** The value of a key in the map whose head was read, the last of equal ones. */
function findEntry(heads: ValueHeads, at: number, { key }: PathStep): number {
  let found = -1;
  for (let entries = heads.size; entries > 0; entries--) {
    const behind = heads.read(at);
    const isPointer = heads.type === POINTER;
    const text = isPointer ? heads.read(heads.size) : behind;
    const value = isPointer ? behind : text + heads.size;
    if (heads.equal(text, heads.size, key)) found = value;
    at = skip(heads, value);
  }
  return found;
}

/** The item at a place of the array whose head was read. */
function findItem(heads: ValueHeads, at: number, { index }: PathStep): number {
  const items = heads.size;
  const place = index !== undefined && index < 0 ? items + index : index;
  if (place === undefined || place < 0 || place >= items) return -1;
  for (let i = 0; i < place; i++) at = skip(heads, at);
  return at;
}

/** The offset behind a value. */
function skip(heads: ValueHeads, at: number): number {
  for (let values = 1; values > 0; values--) {
    at = heads.read(at);
    if (heads.type === MAP) values += 2 * heads.size;
    else if (heads.type === ARRAY) values += heads.size;
    else if (heads.type !== POINTER && heads.type !== BOOLEAN) at += heads.size;
  }
  return at;
}
