/** What is published: watch time by region, how totals are distributed, who has the most; and what was rejected. */
import type { RunReport } from '../report.ts';
import { bars, cut, type Bar } from '../../page/bars.ts';
import { chart } from '../../page/chart.ts';
import { distribution } from '../../page/distribution.ts';
import { h, outside, visible } from '../../page/dom.ts';
import { compact, count, decimal, number, percent, regionName } from '../../page/format.ts';
import { table } from '../../page/table.ts';

const SHOWN_REGIONS = 20;

/** None where nothing was counted. */
export function results(report: RunReport): HTMLElement[] {
  if (report.result.rows === 0) return [h('p', {}, 'Nothing was counted.')];
  const what = report.options.groupBy === 'user' ? 'users' : 'users in a region';
  return [regions(report), topUsers(report), distribution(report.result.distribution, report.result.rows, what)];
}

function regions({ result, options, summary }: RunReport): HTMLElement {
  const { count: all, listed } = result.regions;
  const byUser = options.groupBy === 'user';
  const shown = listed.length > SHOWN_REGIONS + 1 ? listed.slice(0, SHOWN_REGIONS) : listed;
  const share = (total: string): string => percent(Number(total), Number(result.total));
  const named = (region: string): string => [region, regionName(region)].filter((part) => part !== undefined).join(' ');
  const spoken = (region: string): string => (regionName(region) === undefined ? visible(region) : `${regionName(region)} (${region})`);
  const rest = Number(result.total) - shown.reduce((sum, { total }) => sum + Number(total), 0);
  const data: Bar[] = shown.map(({ region, total }) => ({
    label: visible(named(region)), value: Number(total), told: share(total), title: `${visible(named(region))}\n${decimal(total)}`,
  }));
  if (shown.length < all) {
    const label = `${number(all - shown.length)} others`;
    const told = rest.toFixed(summary.valueScale);
    data.push({ label, value: rest, told: share(told), title: `${label}\n${decimal(told)}`, isRest: true });
  }
  const first = listed[0]!;
  return chart({
    title: byUser ? 'Watch time by main region of users' : 'Watch time by region',
    message: `${spoken(first.region)} has the most, ${decimal(first.total)} of ${decimal(result.total)} (${share(first.total)})${byUser ? ', where all of a user counts for the main region' : ''}.`,
    draw: [bars(data, 'var(--accent)')],
    table: table('Watch time by region', [{ name: 'Region' }, { name: 'Name' }, { name: 'Watch time', isFigure: true }, { name: 'Share', isFigure: true }, { name: 'Logs', isFigure: true }, { name: 'Users', isFigure: true }],
      listed.map(({ region, total, logs, rows }) => [outside(region), regionName(region) ?? '', decimal(total), share(total), number(logs), number(rows)])),
  });
}

function topUsers({ result, options }: RunReport): HTMLElement {
  const byUser = options.groupBy === 'user';
  const data: Bar[] = result.top.map(({ user, region, total, logs }) => ({
    label: byUser ? visible(user) : `${cut(visible(user), 18)} ${visible(region)}`, value: Number(total), told: compact(Number(total)), title: `${cut(visible(user), 200)}\n${visible(region)}, ${decimal(total)}, ${count(logs, 'log')}`,
  }));
  const first = result.top[0]!;
  return chart({
    title: 'Top users',
    message: `The most, ${decimal(first.total)} by ${count(first.logs, 'log')}, has ${cut(visible(first.user), 40)}${byUser ? '' : ` in ${visible(first.region)}`}.`,
    draw: [bars(data, 'var(--reduce)')],
    table: table('Rows with the most watch time', [{ name: 'User' }, { name: byUser ? 'Main region' : 'Region' }, { name: 'Watch time', isFigure: true }, { name: 'Logs', isFigure: true }],
      result.top.map(({ user, region, total, logs }) => [outside(user), outside(region), decimal(total), number(logs)])),
  });
}

export function rejects({ summary: { rejectedBy, rows, rejectsFile } }: RunReport): HTMLElement {
  const reasons = Object.entries(rejectedBy).sort(([, a], [, b]) => b - a);
  const data: Bar[] = reasons.map(([reason, rejected]) => ({ label: visible(reason), value: rejected, told: number(rejected), title: `${visible(reason)}\n${number(rejected)}, ${percent(rejected, rows.rejected)}` }));
  if (reasons.length === 0) return h('p', { class: 'good' }, 'No row was rejected.');
  const [[reason, most]] = reasons as [[string, number]];
  return chart({
    title: 'Rejects by reason',
    message: `${number(rows.rejected)} of ${count(rows.read, 'row')} (${percent(rows.rejected, rows.read)}) were rejected, ${number(most)} of them for ${visible(reason)}; each stands in ${rejectsFile}.`,
    draw: [bars(data.slice(0, 30), 'var(--bad)')],
    table: table('Rejected rows by reason', [{ name: 'Reason' }, { name: 'Rows', isFigure: true }, { name: 'Share of rejected', isFigure: true }, { name: 'Share of read', isFigure: true }],
      reasons.map(([reason, rejected]) => [outside(reason), number(rejected), percent(rejected, rows.rejected), percent(rejected, rows.read)])),
  });
}
