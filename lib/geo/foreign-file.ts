/** What a file is that is given as a database and is none: databases are handed out packed. */

interface Kind {
  readonly name: string;
  readonly begins: string;
  readonly at: number;
}

/** An archive may have the database in it as it is, its metadata included. */
const TAR: Kind = { name: 'a tar archive: take the .mmdb file out of it', begins: 'ustar', at: 257 };
const kinds: readonly Kind[] = [
  TAR,
  { name: 'gzip data: decompress it', begins: '\x1f\x8b', at: 0 },
  { name: 'zstd data: decompress it', begins: '\x28\xb5\x2f\xfd', at: 0 },
  { name: 'bzip2 data: decompress it', begins: 'BZh', at: 0 },
  { name: 'xz data: decompress it', begins: '\xfd7zXZ\0', at: 0 },
  { name: 'a zip archive: take the .mmdb file out of it', begins: 'PK\x03\x04', at: 0 },
];

/** What to say after "is"; undefined: nothing is known, or it is a database. */
export function foreignKind(bytes: Buffer, hasMetadata: boolean): string | undefined {
  if (bytes.length === 0) return 'empty';
  const beginsAs = ({ begins, at }: Kind): boolean => bytes.toString('latin1', at, at + begins.length) === begins;
  return (hasMetadata ? [TAR] : kinds).find(beginsAs)?.name;
}
