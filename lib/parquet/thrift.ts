/**
 * Thrift's compact protocol, as far as Parquet's metadata uses it: a structure is read into an array indexed by field
 * number, changed there, and written again. Fields that we do not know pass through as they are.
 * Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */

export const TRUE = 1;
export const FALSE = 2;
export const BYTE = 3;
export const I16 = 4;
export const I32 = 5;
export const I64 = 6;
export const BINARY = 8;
export const LIST = 9;
export const STRUCT = 12;

/**
 * Integers are numbers: counts and offsets stay far below 2^53. Booleans have no value: their type says it. A structure
 * to be written may be bytes that writeStruct gave.
 */
export type Value = number | Uint8Array | List | Struct;
export interface List {
  readonly type: number;
  readonly items: Value[];
}
export interface Field {
  readonly type: number;
  value: Value;
}
/** Indexed by field number; absent fields are holes. */
export type Struct = (Field | undefined)[];

/** Reads one structure from the front of `bytes`. Throws RangeError when it is cut short or of an unknown shape. */
export function readStruct(bytes: Uint8Array): Struct {
  return new Reader(bytes).struct();
}

/** The bytes of a structure, without room to spare; fields go out in ascending order of their numbers. */
export function writeStruct(struct: Struct): Uint8Array {
  writer.clear();
  writer.struct(struct);
  return writer.take();
}

const utf8 = new TextEncoder();

/** A structure from `[field number, field]` pairs. */
export function struct(...fields: [number, Field][]): Struct {
  const struct: Struct = [];
  for (const [id, field] of fields) struct[id] = field;
  return struct;
}

export function field(type: number, value: Value): Field {
  return { type, value };
}

export function text(value: string): Field {
  return { type: BINARY, value: utf8.encode(value) };
}

export function structs(items: (Struct | Uint8Array)[]): Field {
  return { type: LIST, value: { type: STRUCT, items } };
}

/** The integer in a field. Throws RangeError when it is absent: Parquet requires every field that we ask for. */
export function integer(struct: Struct, id: number): number {
  return present(struct, id) as number;
}

export function binary(struct: Struct, id: number): Uint8Array {
  return present(struct, id) as Uint8Array;
}

export function structure(struct: Struct, id: number): Struct {
  return present(struct, id) as Struct;
}

/** The structures in a list field. */
export function listed(struct: Struct, id: number): Struct[] {
  return (present(struct, id) as List).items as Struct[];
}

function present(struct: Struct, id: number): Value {
  const found = struct[id];
  if (!found) throw new RangeError(`Thrift field ${id} is missing.`);
  return found.value;
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  struct(): Struct {
    const struct: Struct = [];
    for (let id = 0; ; ) {
      const head = this.#byte();
      if (head === 0) return struct;
      const type = head & 15;
      id = head >> 4 === 0 ? this.#zigzag() : id + (head >> 4);
      struct[id] = { type, value: type === TRUE || type === FALSE ? 0 : this.#value(type) };
    }
  }

  #value(type: number): Value {
    switch (type) {
      case TRUE: // Only reached inside lists, where a boolean is a byte.
      case FALSE:
      case BYTE:
        return this.#byte();
      case I16:
      case I32:
      case I64:
        return this.#zigzag();
      case BINARY: {
        const length = this.#varint();
        if (length > this.#bytes.length - this.#at) throw new RangeError('Thrift data is cut short.');
        return this.#bytes.subarray(this.#at, (this.#at += length));
      }
      case LIST: {
        const head = this.#byte();
        const length = head >> 4 === 15 ? this.#varint() : head >> 4;
        const items: Value[] = [];
        for (let i = 0; i < length; i++) items.push(this.#value(head & 15));
        return { type: head & 15, items };
      }
      case STRUCT:
        return this.struct();
      default:
        throw new RangeError(`Thrift type ${type} is not one that Parquet metadata uses.`);
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError('Thrift data is cut short.');
    return byte;
  }

  #varint(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  }

  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

const USUAL_BYTES = 4096;

/** Writes structures from Structs, or field by field: `begin`, each field's `head` and value, `end`. */
export class Writer {
  length = 0;
  #bytes = new Uint8Array(USUAL_BYTES);
  #last = 0;

  clear(): void {
    this.length = 0;
    if (this.#bytes.length > USUAL_BYTES) this.#bytes = new Uint8Array(USUAL_BYTES);
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }

  begin(): void {
    this.#last = 0;
  }

  /** Of a field whose number is larger than the one before; of a boolean, that is all. */
  head(id: number, type: number): void {
    if (id - this.#last <= 15) {
      this.byte(((id - this.#last) << 4) | type);
    } else {
      this.byte(type);
      this.integer(id);
    }
    this.#last = id;
  }

  end(): void {
    this.byte(0);
  }

  struct(struct: Struct): void {
    const outer = this.#last;
    this.begin();
    for (let id = 1; id < struct.length; id++) {
      const field = struct[id];
      if (!field) continue;
      const { type, value } = field;
      this.head(id, type);
      if (type !== TRUE && type !== FALSE) this.#value(type, value);
    }
    this.end();
    this.#last = outer;
  }

  /** Begins a list; its items follow. */
  list(type: number, length: number): void {
    this.byte((Math.min(length, 15) << 4) | type);
    if (length >= 15) this.#varint(length);
  }

  binary(bytes: Uint8Array): void {
    this.#varint(bytes.length);
    this.#raw(bytes);
  }

  byte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.length++] = byte;
  }

  /** Four bytes, little-endian: no part of the protocol. */
  u32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.byte((value >>> shift) & 255);
  }

  integer(value: number): void {
    this.#varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  #value(type: number, value: Value): void {
    if (type === STRUCT && value instanceof Uint8Array) {
      this.#raw(value);
    } else if (type === STRUCT) {
      this.struct(value as Struct);
    } else if (type === LIST) {
      const list = value as List;
      this.list(list.type, list.items.length);
      for (const item of list.items) this.#value(list.type, item);
    } else if (type === BINARY) {
      this.binary(value as Uint8Array);
    } else if (type <= BYTE) {
      this.byte(value as number);
    } else {
      this.integer(value as number);
    }
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  #varint(value: number): void {
    for (; value >= 128; value = Math.floor(value / 128)) this.byte((value % 128) | 128);
    this.byte(value);
  }

  #reserve(more: number): void {
    if (this.length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.length + more));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** One for all: most structures are small, and a buffer for each would cost more than writing it. */
const writer = new Writer();
