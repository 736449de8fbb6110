// Packs a value into the binary columns of a table entity: a column holds 64 KiB, an entity 1 MiB.
import { gunzipSync, gzipSync } from 'node:zlib';

const COLUMN_BYTES_MAX = 60 * 1024;
/** With room for keys and the other columns below the 1 MiB of an entity. */
const COLUMNS_MAX = 16;
/** Bound of what is unpacked, so that a few packed bytes cannot fill the memory. */
const UNPACKED_BYTES_MAX = 16 * 1024 * 1024;
/** Below this size packing costs more than it saves. */
const PACK_ABOVE_BYTES = 1024;

export type PackedColumns = Record<string, Uint8Array>;

/** Columns `d0`, `d1`, ... and `gz` in front when they are gzipped; undefined when it does not fit an entity. */
export function pack(value: unknown): PackedColumns | undefined {
  const plain = Buffer.from(JSON.stringify(value));
  const isPacked = plain.length > PACK_ABOVE_BYTES;
  const bytes = isPacked ? gzipSync(plain, { level: 1 }) : plain;
  const columns = Math.ceil(bytes.length / COLUMN_BYTES_MAX);
  if (columns > COLUMNS_MAX) return undefined;
  const packed: PackedColumns = {};
  for (let i = 0; i < columns; i += 1) {
    packed[`${isPacked ? 'z' : 'd'}${i}`] = bytes.subarray(i * COLUMN_BYTES_MAX, (i + 1) * COLUMN_BYTES_MAX);
  }
  return packed;
}

/** The value that `pack` was given, or undefined when the columns hold none. */
export function unpack(entity: Readonly<Record<string, unknown>>): unknown {
  for (const kind of ['d', 'z']) {
    const parts: Uint8Array[] = [];
    for (let i = 0; i < COLUMNS_MAX && entity[`${kind}${i}`] !== undefined; i += 1) {
      parts.push(entity[`${kind}${i}`] as Uint8Array);
    }
    if (parts.length === 0) continue;
    const bytes = Buffer.concat(parts);
    const plain = kind === 'z' ? gunzipSync(bytes, { maxOutputLength: UNPACKED_BYTES_MAX }) : bytes;
    return JSON.parse(plain.toString('utf8'));
  }
  return undefined;
}
