/**
 * What the records of a CSV text are, by the rules written in lib/parse/README.md alone, naive on purpose. One character is one
 * byte. Nothing of lib/ takes part.
 */

export interface ModelField {
  /** Content, quotes taken off; as it stands, when malformed. */
  readonly text: string;
  readonly from: number;
  readonly to: number;
  readonly fault?: 'bad_quote' | 'unterminated_quote';
}

export interface ModelRecord {
  readonly start: number;
  readonly end: number;
  /** Where the next line begins. */
  readonly next: number;
  /** Physical line of its first byte, from 1. */
  readonly line: number;
  readonly fields: readonly ModelField[];
}

export interface ModelDialect {
  readonly delimiter?: string;
  /** '' = none. */
  readonly quote?: string;
  readonly limit?: number;
  /** No header: so many fields. */
  readonly fields?: number;
  readonly skipLines?: number;
}

/** Where a line end ends a record inside quotes, too. */
type Lines = readonly [from: number, to: number];

/** All records, the header first if there is one, and how many lines were empty. */
export function recordsOf(text: string, dialect: ModelDialect = {}): { records: ModelRecord[]; emptyLines: number } {
  return new Reader(text, dialect).read();
}

class Reader {
  readonly #text: string;
  readonly #delimiter: string;
  readonly #quote: string;
  readonly #limit: number;
  readonly #skip: number;
  #expected: number;

  constructor(text: string, { delimiter = ',', quote = '"', limit = Infinity, fields = 0, skipLines = 0 }: ModelDialect) {
    this.#text = text;
    this.#delimiter = delimiter;
    this.#quote = quote;
    this.#limit = limit;
    this.#expected = fields;
    this.#skip = skipLines;
  }

  read(): { records: ModelRecord[]; emptyLines: number } {
    const text = this.#text;
    const records: ModelRecord[] = [];
    let emptyLines = 0;
    let [line, counted] = [1, 0];
    let at = text.startsWith('\xef\xbb\xbf') ? 3 : 0;
    for (let skipped = 0; skipped < this.#skip && at < text.length; skipped++) at = this.#afterLine(this.#lineEnd(at));
    for (let how: Lines = [0, 0]; at < text.length;) {
      if (this.#lineEndLength(at) > 0) {
        emptyLines++;
        at += this.#lineEndLength(at);
        continue;
      }
      line += text.slice(counted, at).match(/\r\n|\r|\n/g)?.length ?? 0;
      counted = at;
      let record = this.#record(at, how, line);
      if (this.#expected > 0) {
        for (let next = this.#judge(record, how); next; next = this.#judge(record, how)) {
          how = next;
          record = this.#record(at, how, line);
        }
      } else {
        this.#expected = record.fields.length;
      }
      records.push(record);
      at = record.next;
    }
    return { records, emptyLines };
  }

  /** How the record is to be read again; undefined: it stands. */
  #judge({ start, end, fields }: ModelRecord, lines: Lines): Lines | undefined {
    if (end - start > this.#limit) {
      const limit = start + this.#limit;
      const place = fields.findIndex(({ to }) => to >= limit);
      const { from } = fields[place]!;
      if (place >= this.#expected || this.#quote === '' || this.#text[from] !== this.#quote || !this.#isInside(from, limit)) return undefined;
      if (lines[0] <= from && from < lines[1] && limit <= lines[1]) return undefined;
      return this.#again(from, limit, false);
    }
    const place = fields.findIndex(({ fault }) => fault !== undefined);
    if (place < 0 || place >= this.#expected) return undefined;
    const { from, to, fault } = fields[place]!;
    const isOneLine = this.#lineEnd(from) >= to;
    if (fault === 'unterminated_quote') {
      return isOneLine ? undefined : this.#again(from, this.#text.length, true);
    }
    return isOneLine ? undefined : this.#again(from, end + 1, false);
  }

  /** When what follows the line of a quote proves to be records. */
  #again(from: number, to: number, ends: boolean): Lines | undefined {
    const line = this.#lineEnd(from);
    if (line >= to) return undefined;
    let [lines, good] = [0, 0];
    for (let at = this.#afterLine(line); at < to && lines < 16;) {
      const end = Math.min(this.#lineEnd(at), to);
      if (end === to && !ends) break;
      if (end > at) {
        lines++;
        const { records } = new Reader(this.#text.slice(at, end), { delimiter: this.#delimiter, quote: this.#quote, fields: 1e9 }).read();
        if (records[0]!.fields.length === this.#expected && records[0]!.fields.every(({ fault }) => !fault)) good++;
      }
      at = this.#afterLine(end);
    }
    if (good === 0 || 2 * good < lines) return undefined;
    return [from, to];
  }

  #record(start: number, lines: Lines, line: number): ModelRecord {
    const fields: ModelField[] = [];
    for (let at = start; ;) {
      const field = this.#field(at, lines);
      fields.push(field);
      if (this.#text[field.to] === this.#delimiter && field.to < this.#text.length) {
        at = field.to + 1;
        continue;
      }
      return { start, line, end: field.to, next: field.to + this.#lineEndLength(field.to), fields };
    }
  }

  #field(from: number, lines: Lines): ModelField {
    const all = this.#text;
    const quote = this.#quote;
    let at = from;
    if (quote !== '' && all[at] === quote) {
      let inside = '';
      for (at++; ; at++) {
        const isLineEnd = at < all.length && this.#lineEndLength(at) > 0 && at >= lines[0] && at < lines[1];
        if (at >= all.length || isLineEnd) return { text: all.slice(from, at), from, to: at, fault: 'unterminated_quote' };
        if (all[at] !== quote) inside += all[at];
        else if (all[at + 1] === quote) inside += all[at++];
        else break;
      }
      at++;
      if (this.#endsField(at)) return { text: inside, from, to: at };
    }
    const isQuoted = at > from;
    while (!this.#endsField(at)) at++;
    const whole = all.slice(from, at);
    const isBad = isQuoted || (quote !== '' && whole.includes(quote));
    return isBad ? { text: whole, from, to: at, fault: 'bad_quote' } : { text: whole, from, to: at };
  }

  #isInside(from: number, to: number): boolean {
    let inside = true;
    for (let at = from + 1; at < to; at++) {
      if (this.#text[at] === this.#quote) inside = !inside;
      else if (!inside) return false;
    }
    return inside;
  }

  #endsField(at: number): boolean {
    return at >= this.#text.length || this.#text[at] === this.#delimiter || this.#lineEndLength(at) > 0;
  }

  #lineEnd(at: number): number {
    while (at < this.#text.length && this.#text[at] !== '\n' && this.#text[at] !== '\r') at++;
    return at;
  }

  #afterLine(end: number): number {
    return end + Math.max(this.#lineEndLength(end), 1);
  }

  #lineEndLength(at: number): number {
    if (this.#text[at] === '\n') return 1;
    if (this.#text[at] !== '\r') return 0;
    return this.#text[at + 1] === '\n' ? 2 : 1;
  }
}
