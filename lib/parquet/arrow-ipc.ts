/**
 * One record batch as an Arrow IPC stream: what parquet-wasm takes in. Only what a row group needs: columns of strings
 * and 64-bit integers, none of them nullable. Written by hand because importing apache-arrow costs more than a small
 * run may take; the tests read the bytes back with it.
 *
 *   schema message | record batch message | body: every buffer at a multiple of 8 bytes | end mark
 *
 * A message is ffffffff, u32 size of the metadata, metadata (flatbuffer `Message`, padded to 8 bytes).
 * Source: https://arrow.apache.org/docs/format/Columnar.html, format/Message.fbs and format/Schema.fbs
 */
import { Builder, type Offset } from 'flatbuffers';

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
export type Column = StringColumn | IntegerColumn;

// Numbers of the union members and enum values in Message.fbs and Schema.fbs.
const METADATA_V5 = 4;
const HEADER_SCHEMA = 1;
const HEADER_RECORD_BATCH = 3;
const TYPE_INT = 2;
const TYPE_UTF8 = 5;

const CONTINUATION = 0xffffffff;

export class ArrowIpc {
  /** Reused from batch to batch; grows to the largest. */
  #buffer = new Uint8Array(0);

  /**
   * Copies the columns, which may be views of shared memory, into one IPC stream of a single record batch.
   * The result is valid until the next call.
   */
  encode(rows: number, columns: readonly Column[]): Uint8Array {
    const parts = columns.flatMap((column) => buffers(rows, column));
    const places: { at: number; length: number }[] = [];
    let bodyLength = 0;
    for (const { byteLength } of parts) {
      places.push({ at: bodyLength, length: byteLength });
      bodyLength += align(byteLength);
    }

    const schema = schemaMessage(columns);
    const batch = batchMessage(rows, columns.length, places, bodyLength);
    const body = schema.length + batch.length;
    const length = body + bodyLength + 8;
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(length);
    this.#buffer.set(schema);
    this.#buffer.set(batch, schema.length);
    parts.forEach((part, i) => this.#buffer.set(part, body + places[i]!.at));
    const end = new DataView(this.#buffer.buffer, body + bodyLength);
    end.setUint32(0, CONTINUATION, true);
    end.setUint32(4, 0, true);
    return this.#buffer.subarray(0, length);
  }
}

/** A column's buffers in the order of the format: validity (absent, as nothing is null), [offsets,] values. */
function buffers(rows: number, column: Column): Uint8Array[] {
  const none = new Uint8Array(0);
  if ('values' in column) return [none, bytesOf(column.values.subarray(0, rows))];
  return [none, bytesOf(column.offsets.subarray(0, rows + 1)), column.bytes.subarray(0, column.offsets[rows])];
}

function bytesOf(array: Int32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function align(length: number): number {
  return Math.ceil(length / 8) * 8;
}

function schemaMessage(columns: readonly Column[]): Uint8Array {
  const builder = new Builder(512);
  const fields = columns.map((column) => fieldTable(builder, column));
  builder.startVector(4, fields.length, 4);
  for (const field of fields.reverse()) builder.addOffset(field);
  const vector = builder.endVector();
  builder.startObject(4); // Schema: endianness = 0 (little), fields = 1
  builder.addFieldOffset(1, vector, 0);
  return message(builder, HEADER_SCHEMA, builder.endObject(), 0);
}

function fieldTable(builder: Builder, column: Column): Offset {
  const integer = 'values' in column;
  const name = builder.createString(column.name);
  builder.startObject(integer ? 2 : 0);
  if (integer) {
    builder.addFieldInt32(0, 64, 0); // Int: bitWidth = 0, is_signed = 1
    builder.addFieldInt8(1, 1, 0);
  }
  const type = builder.endObject();
  builder.startVector(4, 0, 4);
  const children = builder.endVector();
  builder.startObject(7); // Field: name = 0, nullable = 1 (false), type = 2 and 3, children = 5
  builder.addFieldOffset(0, name, 0);
  builder.addFieldInt8(2, integer ? TYPE_INT : TYPE_UTF8, 0);
  builder.addFieldOffset(3, type, 0);
  builder.addFieldOffset(5, children, 0);
  return builder.endObject();
}

function batchMessage(rows: number, columns: number, places: { at: number; length: number }[], bodyLength: number): Uint8Array {
  const builder = new Builder(512);
  const pairs = (list: [number, number][]): Offset => {
    builder.startVector(16, list.length, 8);
    for (const [first, second] of list.reverse()) {
      builder.prep(8, 16);
      builder.writeInt64(BigInt(second));
      builder.writeInt64(BigInt(first));
    }
    return builder.endVector();
  };
  const buffers = pairs(places.map(({ at, length }) => [at, length]));
  const nodes = pairs(Array.from({ length: columns }, () => [rows, 0])); // FieldNode: length, null_count
  builder.startObject(4); // RecordBatch: length = 0, nodes = 1, buffers = 2
  builder.addFieldInt64(0, BigInt(rows), 0n);
  builder.addFieldOffset(1, nodes, 0);
  builder.addFieldOffset(2, buffers, 0);
  return message(builder, HEADER_RECORD_BATCH, builder.endObject(), bodyLength);
}

function message(builder: Builder, headerType: number, header: Offset, bodyLength: number): Uint8Array {
  builder.startObject(5); // Message: version = 0, header = 1 and 2, bodyLength = 3
  builder.addFieldInt16(0, METADATA_V5, 0);
  builder.addFieldInt8(1, headerType, 0);
  builder.addFieldOffset(2, header, 0);
  builder.addFieldInt64(3, BigInt(bodyLength), 0n);
  builder.finish(builder.endObject());
  const metadata = builder.asUint8Array();
  const framed = new Uint8Array(8 + align(metadata.length));
  const head = new DataView(framed.buffer);
  head.setUint32(0, CONTINUATION, true);
  head.setUint32(4, framed.length - 8, true);
  framed.set(metadata, 8);
  return framed;
}
