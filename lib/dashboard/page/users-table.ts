/** Rows of users as a table. A region picks itself; a bar beside a total compares it with the largest of the selection. */
import { h, outside, visible } from '../../page/dom.ts';
import { decimal, number } from '../../page/format.ts';
import { table } from '../../page/table.ts';
import type { TopRow } from '../../report/report.ts';
import { countryName } from './names.ts';
import { longText } from './long-text.ts';
import { meter } from './meter.ts';

const MOST_USER = 80;
const MOST_REGION = 48;

export interface UserRows {
  readonly label: string;
  readonly rows: readonly TopRow[];
  /** The largest total, that a whole bar stands for. */
  readonly largest: number;
  /** A row has all of a user, whose main region it names. */
  readonly byUser: boolean;
  /** The region that is picked already. */
  readonly region: string | null;
  /** Where one can be picked. */
  readonly pick: ((region: string) => void) | undefined;
}

export function usersTable({ label, rows, largest, byUser, region, pick }: UserRows): HTMLElement {
  return table(label,
    [{ name: 'User' }, { name: byUser ? 'Main region' : 'Region' }, { name: 'Watch time', isFigure: true }, { name: 'Logs', isFigure: true }],
    rows.map((row) => [longText(row.user, MOST_USER), row.region === region || pick === undefined ? regionText(row.region) : regionButton(row.region, pick), h('span', { class: 'metered' }, meter(Number(row.total) / largest), h('span', {}, decimal(row.total))), number(row.logs)]));
}

function regionButton(region: string, pick: (region: string) => void): HTMLElement {
  const button = h('button', { type: 'button', class: 'pick', title: `Show ${visible(region)} alone` }, regionText(region));
  button.addEventListener('click', () => pick(region));
  return button;
}

/** Its code, and its name if it has one. A code that is a long text is cut. */
function regionText(region: string): HTMLElement {
  const name = countryName(region);
  const characters = [...region];
  return h('span', {}, outside(characters.length > MOST_REGION ? `${characters.slice(0, MOST_REGION - 1).join('')}…` : region), name === undefined ? undefined : h('span', { class: 'region-name' }, ` ${name}`));
}
