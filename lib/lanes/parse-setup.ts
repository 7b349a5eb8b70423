/** What the parse stage is told, by every thread of a run and by `validate`. */
import type { Transform } from 'node:stream';
import type { ColumnNames } from '../core/options.ts';
import { ruledColumns, type Rule } from '../core/rules.ts';
import type { BlockParserOptions } from '../parse/block-parser.ts';
import { createParseStage } from '../parse/stage.ts';

/** Plain data, the same for all threads. */
export interface ParseSetup {
  readonly columns: ColumnNames;
  readonly rules: readonly Rule[];
  /** Decimal places of the value column. */
  readonly scale: number;
}

/** Throws ETL_MEMORY. */
export function parseStage({ columns, rules, scale }: ParseSetup, own: Pick<BlockParserOptions, 'memory' | 'kernel' | 'counters' | 'rejects' | 'relay'>): Transform {
  return createParseStage({ ...own, scale, rules, columns: { ...columns, ruled: ruledColumns(rules, columns) } });
}
