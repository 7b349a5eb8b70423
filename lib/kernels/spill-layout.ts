/**
 * Structures of the spill kernel: blocks of a run file. Plain integer constants only (see layout.ts).
 */

// --- A run file is blocks, back to back. A block unpacks to whole rows in run format, RUN_BLOCK_BYTES at most: as many as
//     the longest row has, so that whoever has room for any row has room for any block. ---
//
//   +0 checksum: u64   XXH64 of the rest of the block; seed = number of the block in its file | salt of the file << 32
//   +8 packed: u32     bytes of the packed rows
//   +12 rows: u32
//   +16 raw: u32       bytes of the unpacked rows
//   +20 packed rows ...
//
// A packed row. "Before" is the row before it in the block; the first row comes after region 0 and an empty user.
//
//   +0 control: u8     bits 0-3: bytes of the sum, 0 to 8, or SUM_WIDE; bits 4-6: bytes of the count, less one;
//                      bit 7: the region differs from the one before
//   +1 prefix: u8      bytes that the user shares with the one before; LENGTH_ESCAPE: as u16 behind `rest`
//   +2 rest: u8        bytes of the user behind them; LENGTH_ESCAPE: as u16 behind that
//      [prefix: u16] [rest: u16] [region: u32]
//      sum             its low bytes, after zigzag (v << 1 ^ v >> 63); wide: 16 bytes, two's complement
//      count           its low bytes
//      rest of the user

export const RUN_BLOCK_BYTES = 8224; // RUN_USER + MAX_USER_BYTES
export const BLOCK_CHECKSUM = 0;
export const BLOCK_PACKED = 8;
export const BLOCK_ROWS = 12;
export const BLOCK_RAW = 16;
export const BLOCK_HEADER = 20;
export const SUM_WIDE = 9;
export const LENGTH_ESCAPE = 255;
export const PACKED_ROW_LEAST = 4;
/** A packed row has at most 1 byte more than the row, and that only if its user has 255 bytes or more. */
export const PACKED_MOST = 8252; // RUN_BLOCK_BYTES + RUN_BLOCK_BYTES / (RUN_USER + 255)
export const BLOCK_MOST = 8272; // BLOCK_HEADER + PACKED_MOST
/** Bytes behind a buffer of blocks that may be read, or behind a packed block that may be written. */
export const BLOCK_SLACK = 16;

// --- Where packing or unpacking stands; the host sets all of it, the kernel moves `at` and `number`. ---
//
//   +0 at: u32      next free byte, or next block   +4 end: u32      of what is free, or of what was read
//   +8 number: u32  of the next block               +12 salt: u32    of the file

export const CURSOR_AT = 0;
export const CURSOR_END = 4;
export const CURSOR_NUMBER = 8;
export const CURSOR_SALT = 12;
export const CURSOR_BYTES = 16;

/** unpackBlocks: the next block is not what was written. */
export const DAMAGED = 0xffffffff;
