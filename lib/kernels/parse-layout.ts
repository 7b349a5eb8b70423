/**
 * What the parse kernel, its twin and the host share: the parser's state and the index that the scan writes.
 * Plain integer constants only, as in layout.ts.
 *
 * The window is the stretch of bytes that is being parsed: a record that the block before left unfinished, then the
 * block. Positions are byte offsets from the window's first byte.
 *
 *   base                START              POS               END
 *   |  parsed records    |  being indexed   |  not scanned    |
 */

// --- State: u32 each. ---

export const STATE_BASE = 0; //        address of the window's first byte
export const STATE_END = 4; //         bytes in the window
export const STATE_POS = 8; //         the scan has seen the bytes before this position
export const STATE_START = 12; //      first byte of the first record that `fields` has not taken
export const STATE_MODE = 16; //       where the scan stands, MODE_*
export const STATE_INDEX = 20; //      address of the index
export const STATE_CAPACITY = 24; //   entries that fit the index; the scan stops INDEX_SLACK before
export const STATE_COUNT = 28; //      entries in the index
export const STATE_NEXT = 32; //       first entry that `fields` has not taken
export const STATE_RECORDS = 36; //    whole records in the index that `fields` has not taken
export const STATE_LINES = 40; //      line ends scanned, quoted ones too; the host reads and clears it
export const STATE_EMPTY_LINES = 44; // empty lines skipped; the host reads and clears it
export const STATE_DELIMITER = 48; //  one byte; never CR, LF or the quote
export const STATE_QUOTE = 52; //      one byte; NO_QUOTE: no field is quoted
export const STATE_RECORD_LIMIT = 56; // most bytes of a record, its line end excluded
export const STATE_FIELDS = 60; //     fields that a record must have; 0 until the header is known
export const STATE_COLUMN_ID = 64; //  place of each wanted column in a record, from 0
export const STATE_COLUMN_USER = 68;
export const STATE_COLUMN_IP = 72;
export const STATE_COLUMN_VALUE = 76;
export const STATE_SCRATCH = 80; //    where the next unfolded field goes; the batch being filled owns the scratch
export const STATE_SCRATCH_END = 84;
export const STATE_DROPPED = 88; //    fields of the unfinished record whose entries made room for more; see Scanner
export const STATE_ENOUGH = 92; //      the scan stops once so many whole records wait in the index
export const STATE_LINE_FROM = 96; //  from this position to LINE_END, a line end ends a record inside quotes, too
export const STATE_LINE_END = 100;
export const STATE_SUSPECT = 104; //   1: the scan has stopped behind a record with malformed quotes, for the host to judge
export const STATE_REPAIR = 108; //    1: `fields` pads and cuts, and stops at malformed quotes
export const STATE_NOT_ASCII = 112; // 1: some byte that was scanned is over 127
export const STATE_BYTES = 128;
/** No byte. */
export const NO_QUOTE = 256;

// --- Mode: two bits of state, four flags. ---

export const MODE_PLACE = 3; //        mask of the next four
export const MODE_FIELD_START = 0;
export const MODE_UNQUOTED = 1;
export const MODE_QUOTED = 2;
export const MODE_CLOSED = 3; //       just after a quote inside a quoted field: its end, or the first half of `""`
export const MODE_BAD = 4; //          the field has a quote where none may be
export const MODE_AFTER_CR = 8; //     the last byte scanned was a CR
export const MODE_SKIP = 16; //        inside a record that was too long: no row at its end
export const MODE_BAD_RECORD = 32; //  a field of the record before this one is BAD

// --- An index entry: u32, the position of a field's end (the delimiter, the line end or the end of input) and flags. ---

export const ENTRY_END = 0x80000000; //    last field of its record
export const ENTRY_QUOTED = 0x40000000; // the field begins and ends with a quote
export const ENTRY_BAD = 0x20000000; //    malformed quotes; with QUOTED: the input ended inside the quotes
export const ENTRY_POSITION = 0x1fffffff;

/** Positions have 29 bits. */
export const MAX_WINDOW = 0x1fffffff;
/** Free entries that a step of the scan needs: one for each of 64 bytes, and one for `finish`. */
export const INDEX_SLACK = 80;
