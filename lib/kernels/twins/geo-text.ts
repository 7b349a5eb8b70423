/**
 * Address texts, by the rules of `maxmind`: dotted IPv4 without leading zeros; every form of IPv6, with `::`, an
 * embedded IPv4 tail and a zone. Spaces and tabs around an address are our own leniency.
 */

export type Address =
  | { readonly family: 4; readonly bits: number }
  | { readonly family: 6; readonly bits: bigint };

const decimal = /^(?:0|[1-9][0-9]{0,2})$/;
const hexadecimal = /^[0-9a-fA-F]{1,4}$/;
const zone = /^[0-9a-zA-Z.:-]+$/;

/** The address that a text stands for; undefined when it stands for none. */
export function parseAddress(text: string): Address | undefined {
  let from = 0;
  let to = text.length;
  while (to > from && ' \t'.includes(text[to - 1]!)) to--;
  while (to > from && ' \t'.includes(text[from]!)) from++;
  const address = text.slice(from, to);
  const bits4 = parseIpv4(address);
  if (bits4 !== undefined) return { family: 4, bits: bits4 };

  const percent = address.indexOf('%');
  if (percent >= 0 && !zone.test(address.slice(percent + 1))) return undefined;
  const bits6 = parseIpv6(percent < 0 ? address : address.slice(0, percent));
  return bits6 === undefined ? undefined : { family: 6, bits: bits6 };
}

function parseIpv4(text: string): number | undefined {
  const parts = text.split('.', 5);
  if (parts.length !== 4) return undefined;
  let bits = 0;
  for (const part of parts) {
    if (!decimal.test(part) || Number(part) > 255) return undefined;
    bits = bits * 256 + Number(part);
  }
  return bits;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::', 3);
  if (halves.length > 2) return undefined;
  const lists = halves.map((half, i) => parseGroups(half, i === halves.length - 1));
  const head = lists[0];
  const tail = lists[1] ?? [];
  if (!head || lists.includes(undefined)) return undefined;
  // `::` stands for one group or more.
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail].reduce((bits, group) => (bits << 16n) | BigInt(group), 0n);
}

/** Groups of 16 bits between colons; the last may be an IPv4 address, two groups, if it ends the text. */
function parseGroups(text: string, endsText: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':', 9);
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    const embedded = endsText && i === parts.length - 1 ? parseIpv4(part) : undefined;
    if (embedded !== undefined) groups.push(embedded >>> 16, embedded & 0xffff);
    else if (hexadecimal.test(part)) groups.push(parseInt(part, 16));
    else return undefined;
  }
  return groups;
}
