/**
 * Encoding on other threads, the side of the one that merges and writes: what is sent are a few numbers, since all
 * threads see the columns; what comes back is a length, since the file stands where the columns stood. The other side is
 * encode-task.ts.
 */
import type { ResultBatch } from '../core/stage.ts';
import type { EncodedRowGroup } from './encoder.ts';

/** Plain data: addresses in linear memory. */
export interface EncodeRequest {
  readonly rows: number;
  readonly totals: number;
  readonly counts: number;
  readonly offsets: number;
  readonly users: number;
  readonly userBytes: number;
  /** Numbers of the top regions; 0 = none. */
  readonly tops: number;
  /** The batch's area: where the file goes. */
  readonly area: number;
  readonly areaBytes: number;
}

/** Plain data. */
export interface EncodeResponse {
  /** Bytes of the file at the start of the area. */
  readonly length: number;
  readonly sorted: boolean;
  /** The file, when it does not fit the area: its buffer may be transferred. */
  readonly file?: Uint8Array<ArrayBuffer>;
}

/**
 * Encodes by `send`, which has the request answered by an encode task of any thread, and rejects if that thread ends
 * before. The batch's columns are lost; the file is in their place until the batch is released.
 */
export function remoteEncoder(send: (request: EncodeRequest) => Promise<EncodeResponse>): (batch: ResultBatch) => Promise<EncodedRowGroup> {
  return async (batch) => {
    const { rows, totals, counts, userOffsets, userBytes, topRegions, area } = batch;
    const { length, sorted, file } = await send({
      rows,
      totals: totals.byteOffset,
      counts: counts.byteOffset,
      offsets: userOffsets.byteOffset,
      users: userBytes.byteOffset,
      userBytes: userBytes.length,
      tops: topRegions?.numbers.byteOffset ?? 0,
      area: area.byteOffset,
      areaBytes: area.length,
    });
    const bytes = file ?? area.subarray(0, length);
    return { rows, sorted, file: { length, moveTo: (target) => target.set(bytes) } };
  };
}
