/**
 * Seals: XXH64 of a value, seeded with that of its key. A value that is damaged, or an intact one under another key,
 * does not match its seal. LevelDB's own checksums do not do that for us: classic-level opens it without
 * paranoid_checks and reads without verify_checksums (binding.cc; Level/leveldown#172), so the checksums of its tables
 * are never looked at, not by a compaction either.
 */
import type { XXHashAPI } from 'xxhash-wasm';
import xxhash from 'xxhash-wasm';

const SEAL_BYTES = 8;

export class Seals {
  readonly #hash: XXHashAPI;

  private constructor(hash: XXHashAPI) {
    this.#hash = hash;
  }

  static async load(): Promise<Seals> {
    return new Seals(await xxhash());
  }

  #of(key: Uint8Array, value: Uint8Array): bigint {
    return this.#hash.h64Raw(value, this.#hash.h64Raw(key));
  }

  /** 64 bits that stand for a key. */
  ofKey(key: Uint8Array): bigint {
    return this.#hash.h64Raw(key);
  }

  /** A copy of the value, with its seal (little-endian) before it. */
  seal(key: Uint8Array, value: Uint8Array): SealedValue {
    const seal = this.#of(key, value);
    const bytes = new Uint8Array(SEAL_BYTES + value.length);
    new DataView(bytes.buffer).setBigUint64(0, seal, true);
    bytes.set(value, SEAL_BYTES);
    return { seal, bytes };
  }

  /** What `seal` was given, as a view, and its seal; undefined when it is not what `seal` made for this key. */
  open(key: Uint8Array, bytes: Uint8Array): { readonly seal: bigint; readonly value: Uint8Array } | undefined {
    if (bytes.length < SEAL_BYTES) return undefined;
    const seal = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
    const value = bytes.subarray(SEAL_BYTES);
    return this.#of(key, value) === seal ? { seal, value } : undefined;
  }
}

export interface SealedValue {
  readonly seal: bigint;
  readonly bytes: Uint8Array;
}

/** 16 hexadecimal digits. */
export function sealText(seal: bigint): string {
  return seal.toString(16).padStart(16, '0');
}
