/** Writes small MMDB files, valid ones and, by `metadata` and `connect`, others. https://maxmind.github.io/MaxMind-DB/ */
import { Buffer } from 'node:buffer';

export interface MmdbPlan {
  readonly recordSize: 24 | 28 | 32;
  readonly ipVersion: 4 | 6;
  /** `1.2.3.0/24` or `2001:db8::/32`, and the record. A longer prefix wins, whatever the order. */
  readonly networks: readonly (readonly [prefix: string, record: unknown])[];
  /** IPv6 prefixes that lead to the root of the IPv4 tree. */
  readonly aliases?: readonly string[];
  /** Overrides metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Changes records of the finished tree: [node, side, value]; nodes are numbered in order of address, -n is n behind them. */
  readonly connect?: readonly (readonly [node: number, side: 0 | 1, value: number])[];
}

interface Node {
  readonly sides: [Place, Place];
}
/** A node, a record's index, or nothing. */
type Place = Node | number | undefined;

const SEPARATOR = Buffer.alloc(16);
const MARK = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');

export function writeMmdb(plan: MmdbPlan): Buffer {
  const root: Node = { sides: [undefined, undefined] };
  const data = new Encoder();
  const networks = plan.networks.map(([prefix, record]) => ({ bits: prefixBits(prefix, plan.ipVersion), offset: data.record(record) }));
  for (const { bits, offset } of networks.sort((a, b) => a.bits.length - b.bits.length)) put(root, bits, offset);
  if (plan.aliases?.length) {
    const ipv4 = descend(root, '0'.repeat(96));
    for (const alias of plan.aliases) put(root, prefixBits(alias, 6), ipv4);
  }

  const numbers = new Map<Node, number>();
  const nodes: Node[] = [];
  const visit = (node: Node): void => {
    if (numbers.has(node)) return;
    numbers.set(node, nodes.length);
    nodes.push(node);
    for (const side of node.sides) if (typeof side === 'object') visit(side);
  };
  visit(root);

  const values = nodes.map(({ sides }) => sides.map((side) => (
    side === undefined ? nodes.length : typeof side === 'number' ? nodes.length + 16 + side : numbers.get(side)!
  )));
  for (const [node, side, value] of plan.connect ?? []) values[node]![side] = value < 0 ? nodes.length - value : value;
  const tree = Buffer.concat(values.map(([left, right]) => encodeNode(left!, right!, plan.recordSize)));
  const metadata = new Encoder();
  metadata.value({
    binary_format_major_version: 2, binary_format_minor_version: 0, build_epoch: 1_700_000_000n, database_type: 'Test',
    description: { en: 'a test' }, ip_version: plan.ipVersion, languages: ['en'], node_count: nodes.length,
    record_size: plan.recordSize, ...plan.metadata,
  });
  return Buffer.concat([tree, SEPARATOR, data.bytes(), MARK, metadata.bytes()]);
}

/** The bits of a prefix; IPv4 prefixes stand at ::/96 in an IPv6 tree. */
function prefixBits(prefix: string, ipVersion: 4 | 6): string {
  const [address, length] = prefix.split('/') as [string, string];
  if (address.includes('.')) {
    const bits = address.split('.').map((part) => Number(part).toString(2).padStart(8, '0')).join('');
    return (ipVersion === 6 ? '0'.repeat(96) : '') + bits.slice(0, Number(length));
  }
  const [head, tail] = address.split('::').map((half) => (half === '' ? [] : half.split(':'))) as [string[], string[]?];
  const groups = tail ? [...head, ...new Array<string>(8 - head.length - tail.length).fill('0'), ...tail] : head;
  return groups.map((group) => parseInt(group, 16).toString(2).padStart(16, '0')).join('').slice(0, Number(length));
}

function put(root: Node, bits: string, place: Place): void {
  const parent = descend(root, bits.slice(0, -1));
  parent.sides[Number(bits.at(-1)) as 0 | 1] = place;
}

/** The node at `bits`, made where there is none; what stood there goes to both sides. */
function descend(root: Node, bits: string): Node {
  let node = root;
  for (const bit of bits) {
    const side = Number(bit) as 0 | 1;
    const next = node.sides[side];
    node = typeof next === 'object' ? next : (node.sides[side] = { sides: [next, next] });
  }
  return node;
}

function encodeNode(left: number, right: number, recordSize: 24 | 28 | 32): Buffer {
  const node = Buffer.alloc(recordSize / 4);
  if (recordSize === 32) {
    node.writeUInt32BE(left, 0);
    node.writeUInt32BE(right, 4);
  } else {
    node.writeUIntBE(left & 0xffffff, 0, 3);
    node.writeUIntBE(right & 0xffffff, recordSize === 24 ? 3 : 4, 3);
    if (recordSize === 28) node[3] = ((left >>> 24) << 4) | (right >>> 24);
  }
  return node;
}

/** Data section format. Texts that were written before are pointed to. */
class Encoder {
  readonly #parts: Buffer[] = [];
  readonly #records = new Map<string, number>();
  readonly #texts = new Map<string, number>();
  #length = 0;

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  /** Writes a record once; gives its offset. */
  record(value: unknown): number {
    const key = JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each));
    let offset = this.#records.get(key);
    if (offset === undefined) this.#records.set(key, (offset = this.value(value)));
    return offset;
  }

  /** Gives the offset. */
  value(value: unknown): number {
    const at = this.#length;
    if (value instanceof Uint8Array) this.#add(Buffer.from(value));
    else if (typeof value === 'string') this.#text(value);
    else if (typeof value === 'boolean') this.#control(14, value ? 1 : 0);
    else if (typeof value === 'bigint') this.#uint(value < 2n ** 64n ? 9 : 10, value);
    else if (typeof value === 'number' && Number.isInteger(value) && value >= 0) this.#uint(6, BigInt(value));
    else if (typeof value === 'number') {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(value);
      this.#control(3, 8);
      this.#add(bytes);
    } else if (Array.isArray(value)) {
      this.#control(11, value.length);
      for (const each of value) this.value(each);
    } else {
      const entries = Object.entries(value as object);
      this.#control(7, entries.length);
      for (const [key, each] of entries) {
        this.value(key);
        this.value(each);
      }
    }
    return at;
  }

  #text(text: string): void {
    const known = this.#texts.get(text);
    if (known !== undefined && known < 2048) {
      this.#add(Buffer.from([0x20 | (known >> 8), known & 0xff]));
      return;
    }
    const bytes = Buffer.from(text);
    if (bytes.length > 2) this.#texts.set(text, this.#length);
    this.#control(2, bytes.length);
    this.#add(bytes);
  }

  #uint(type: number, value: bigint): void {
    const hex = value === 0n ? '' : value.toString(16);
    const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
    this.#control(type, bytes.length);
    this.#add(bytes);
  }

  #control(type: number, size: number): void {
    const low = size < 29 ? size : size < 285 ? 29 : size < 65821 ? 30 : 31;
    const parts = [type < 8 ? (type << 5) | low : low];
    if (type > 7) parts.push(type - 7);
    if (low === 29) parts.push(size - 29);
    if (low === 30) parts.push((size - 285) >> 8, (size - 285) & 0xff);
    if (low === 31) parts.push((size - 65821) >> 16, ((size - 65821) >> 8) & 0xff, (size - 65821) & 0xff);
    this.#add(Buffer.from(parts));
  }

  #add(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }
}
