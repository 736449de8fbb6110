// Hex dumps as tcpdump -x, tshark -x, Wireshark, xxd and hexdump -C print them, one line after the other, to octets.
// It must never know what the octets mean.

/** An IP packet is not longer; with its link header it stays below this. */
export const DUMP_BYTES_MAX = 66_000;

const LINE_BYTES_MAX = 16;
const LINE = /^\s*(0x)?([0-9a-f]{4,8})(:)?\s+(.*)$/i;
/** Octets one by one or in pairs, and what stands between them and the next ones. */
const OCTETS = /^([0-9a-f]{2}(?:[0-9a-f]{2})?)(\s+|$)/i;

export interface DumpLine {
  readonly offset: number;
  readonly octets: readonly number[];
  /** It cannot be anything but a line of a dump: its offset is written as `0x0010` or `0010:`. */
  readonly isPlain: boolean;
}

/** The offset and octets of one line, its text column left out; undefined for a line that begins with no offset. */
export function readDumpLine(line: string): DumpLine | undefined {
  const [, prefix, offset, colon, rest] = LINE.exec(line) ?? [];
  if (offset === undefined || rest === undefined) return undefined;
  return {
    offset: Number.parseInt(offset, 16),
    octets: readOctets(rest),
    isPlain: prefix !== undefined || colon !== undefined,
  };
}

/** Up to the text column, which a wider gap or the sixteenth octet ends; some leave a double space after eight. */
function readOctets(text: string): number[] {
  const octets: number[] = [];
  for (let rest = text; octets.length < LINE_BYTES_MAX; ) {
    const [whole, digits = '', gap = ''] = OCTETS.exec(rest) ?? [];
    if (whole === undefined) break;
    for (let at = 0; at < digits.length; at += 2) octets.push(Number.parseInt(digits.slice(at, at + 2), 16));
    if (gap.length > (octets.length === LINE_BYTES_MAX / 2 ? 2 : 1)) break;
    rest = rest.slice(whole.length);
  }
  return octets;
}
