/** What the parse stage is told, by every thread of a run and by `validate`. */
import type { Transform } from 'node:stream';
import type { ColumnNames, JobOptions } from '../core/options.ts';
import { ruledColumns, type Rule } from '../core/rules.ts';
import type { BlockParserOptions } from '../parse/block-parser.ts';
import { createParseStage } from '../parse/stage.ts';

/** Plain data, the same for all threads. */
export interface ParseSetup {
  readonly columns: ColumnNames;
  readonly rules: readonly Rule[];
  /** Decimal places of the value column. */
  readonly scale: number;
  /** Most bytes of a record. */
  readonly maxRecord: number;
  /** Malformed records are repaired where they can be. */
  readonly repair: boolean;
}

type Own = Pick<BlockParserOptions, 'memory' | 'kernel' | 'counters' | 'rejects' | 'relay' | 'relayBytes'>;

/** `scale`: decimal places of the value column. */
export function parseSetup({ columns, rules, maxRecord, onError }: JobOptions, scale: number): ParseSetup {
  return { columns, rules, scale, maxRecord, repair: onError === 'repair' };
}

/** Throws ETL_MEMORY. */
export function parseStage({ columns, rules, scale, maxRecord, repair }: ParseSetup, own: Own): Transform {
  return createParseStage({ ...own, scale, rules, repair, maxRecordBytes: maxRecord, columns: { ...columns, ruled: ruledColumns(rules, columns) } });
}
