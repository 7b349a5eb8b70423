/**
 * One record batch as an Arrow IPC stream: what parquet-wasm takes in. Only what a row group needs: columns of strings
 * and 64-bit integers, none of them nullable. Written by hand because importing apache-arrow costs more than a small
 * run may take; the tests read the bytes back with it. (A list of strings or integers can be a column, too: no row group has one.)
 *
 *   schema message | record batch message | body: every buffer at a multiple of 8 bytes | end mark
 *
 * A message is ffffffff, u32 size of the metadata, metadata (flatbuffer `Message`, padded to 8 bytes).
 * Source: https://arrow.apache.org/docs/format/Columnar.html, format/Message.fbs and format/Schema.fbs
 */
import { Builder, ByteBuffer, type Offset } from 'flatbuffers';

/** `rows + 1` offsets into `bytes`; the arrays may be longer than the batch needs. */
export interface StringColumn {
  readonly name: string;
  readonly offsets: Int32Array;
  readonly bytes: Uint8Array;
}
export interface IntegerColumn {
  readonly name: string;
  readonly values: BigInt64Array;
}
/** `rows + 1` offsets into the items. */
export interface ListColumn {
  readonly name: string;
  readonly offsets: Int32Array;
  readonly items: FlatColumn;
}
export type FlatColumn = StringColumn | IntegerColumn;
export type Column = FlatColumn | ListColumn;

/** A stream that is yet to be written: columns may be views of shared memory, and must not change before. */
export interface IpcStream {
  readonly bytes: number;
  /** Writes the stream into `target`, which has `bytes` bytes. */
  write(target: Uint8Array): void;
}

// Numbers of the union members and enum values in Message.fbs and Schema.fbs.
const METADATA_V5 = 4;
const HEADER_SCHEMA = 1;
const HEADER_RECORD_BATCH = 3;
const TYPE_INT = 2;
const TYPE_UTF8 = 5;
const TYPE_LIST = 12;

const CONTINUATION = 0xffffffff;

export class ArrowIpc {
  /** What does not change from batch to batch of one shape: both messages, and where the numbers stand in them. */
  #template: Template | undefined;

  /** One batch as a stream. All calls have the same columns, by name and type. */
  layOut(rows: number, columns: readonly Column[]): IpcStream {
    const template = (this.#template ??= newTemplate(columns));
    const parts = columns.flatMap((column) => buffers(rows, column));
    const bodyLength = parts.reduce((sum, part) => sum + align(part.length), 0);
    const body = template.messages.length;
    const lengths = columns.flatMap((column) => ('items' in column ? [rows, column.offsets[rows]!] : [rows]));
    return {
      bytes: body + bodyLength + 8,
      write(target) {
        target.set(template.messages);
        const view = new DataView(target.buffer, target.byteOffset, target.length);
        const setLong = (at: number, value: number): void => {
          view.setUint32(at, value, true); // a batch is far below 4 GiB, so the upper half stays 0
        };
        setLong(template.bodyLength, bodyLength);
        setLong(template.rows, rows);
        lengths.forEach((length, i) => setLong(template.nodes + 16 * i, length)); // FieldNode: length, null_count
        let at = 0;
        parts.forEach((part, i) => {
          setLong(template.buffers + 16 * i, at); // Buffer: offset, length
          setLong(template.buffers + 16 * i + 8, part.length);
          target.set(part, body + at);
          at += align(part.length);
        });
        view.setUint32(body + bodyLength, CONTINUATION, true);
        view.setUint32(body + bodyLength + 4, 0, true);
      },
    };
  }
}

/** A column's buffers in the order of the format: validity (absent, as nothing is null), [offsets,] values. */
function buffers(rows: number, column: Column): Uint8Array[] {
  const none = new Uint8Array(0);
  if ('items' in column) return [none, bytesOf(column.offsets.subarray(0, rows + 1)), ...buffers(column.offsets[rows]!, column.items)];
  if ('values' in column) return [none, bytesOf(column.values.subarray(0, rows))];
  return [none, bytesOf(column.offsets.subarray(0, rows + 1)), column.bytes.subarray(0, column.offsets[rows])];
}

function bytesOf(array: Int32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function align(length: number): number {
  return Math.ceil(length / 8) * 8;
}

interface Template {
  readonly messages: Uint8Array;
  /** Offsets into `messages`. */
  readonly bodyLength: number;
  readonly rows: number;
  readonly nodes: number;
  readonly buffers: number;
}

function newTemplate(columns: readonly Column[]): Template {
  const schema = schemaMessage(columns);
  const flat = (column: Column): number => ('values' in column ? 2 : 3);
  const batch = batchMessage(
    columns.reduce((sum, column) => sum + ('items' in column ? 2 : 1), 0),
    columns.reduce((sum, column) => sum + ('items' in column ? 2 + flat(column.items) : flat(column)), 0),
  );
  const messages = Buffer.concat([schema, batch]);

  const metadata = new ByteBuffer(batch.subarray(8));
  const place = (table: number, field: number): number => table + metadata.__offset(table, 4 + 2 * field);
  const message = metadata.readInt32(0);
  const header = metadata.__indirect(place(message, 2));
  const start = schema.length + 8;
  return {
    messages,
    bodyLength: start + place(message, 3),
    rows: start + place(header, 0),
    nodes: start + metadata.__vector(place(header, 1)),
    buffers: start + metadata.__vector(place(header, 2)),
  };
}

function schemaMessage(columns: readonly Column[]): Uint8Array {
  const builder = new Builder(512);
  const fields = columns.map((column) => fieldTable(builder, column));
  builder.startVector(4, fields.length, 4);
  for (const field of fields.reverse()) builder.addOffset(field);
  const vector = builder.endVector();
  builder.startObject(4); // Schema: endianness = 0 (little), fields = 1
  builder.addFieldOffset(1, vector, 0);
  return message(builder, HEADER_SCHEMA, builder.endObject());
}

function fieldTable(builder: Builder, column: Column): Offset {
  const integer = 'values' in column;
  const items = 'items' in column ? [fieldTable(builder, column.items)] : [];
  const name = builder.createString(column.name);
  builder.startObject(integer ? 2 : 0);
  if (integer) {
    builder.addFieldInt32(0, 64, 0); // Int: bitWidth = 0, is_signed = 1
    builder.addFieldInt8(1, 1, 0);
  }
  const type = builder.endObject();
  builder.startVector(4, items.length, 4);
  for (const item of items) builder.addOffset(item);
  const children = builder.endVector();
  builder.startObject(7); // Field: name = 0, nullable = 1 (false), type = 2 and 3, children = 5
  builder.addFieldOffset(0, name, 0);
  builder.addFieldInt8(2, integer ? TYPE_INT : 'items' in column ? TYPE_LIST : TYPE_UTF8, 0);
  builder.addFieldOffset(3, type, 0);
  builder.addFieldOffset(5, children, 0);
  return builder.endObject();
}

/** A record batch message whose numbers are all 0. */
function batchMessage(columns: number, bufferCount: number): Uint8Array {
  const builder = new Builder(512);
  const pairs = (count: number): Offset => {
    builder.startVector(16, count, 8);
    for (let i = 0; i < 2 * count; i++) builder.addInt64(0n);
    return builder.endVector();
  };
  const buffers = pairs(bufferCount);
  const nodes = pairs(columns);
  builder.forceDefaults(true);
  builder.startObject(4); // RecordBatch: length = 0, nodes = 1, buffers = 2
  builder.addFieldInt64(0, 0n, 0n);
  builder.addFieldOffset(1, nodes, 0);
  builder.addFieldOffset(2, buffers, 0);
  return message(builder, HEADER_RECORD_BATCH, builder.endObject());
}

function message(builder: Builder, headerType: number, header: Offset): Uint8Array {
  builder.startObject(5); // Message: version = 0, header = 1 and 2, bodyLength = 3
  builder.addFieldInt16(0, METADATA_V5, 0);
  builder.addFieldInt8(1, headerType, 0);
  builder.addFieldOffset(2, header, 0);
  builder.addFieldInt64(3, 0n, 0n);
  builder.finish(builder.endObject());
  const metadata = builder.asUint8Array();
  const framed = new Uint8Array(8 + align(metadata.length));
  const head = new DataView(framed.buffer);
  head.setUint32(0, CONTINUATION, true);
  head.setUint32(4, framed.length - 8, true);
  framed.set(metadata, 8);
  return framed;
}
