// The lines `decode` is given, in turn: bare hex is answered at once, the lines of a hex dump when the dump has ended.
// It must never know where lines come from.
import { type Decoded, type DecodeOptions, decodeLine, decodePacket, inputError } from './decode.ts';
import { DUMP_BYTES_MAX, type DumpLine, readDumpLine } from './hex-dump.ts';

/** The dump that is being read, line by line; undefined between dumps. */
export type OpenDump = { readonly length: number; readonly lines: readonly (readonly number[])[] } | undefined;

export interface DecodeStep {
  readonly dump: OpenDump;
  readonly answers: readonly Decoded[];
}

/** The line tcpdump writes above the octets of a packet. */
const TCPDUMP_HEADER = /^\d\d:\d\d:\d\d\.\d+ /;

/**
 * One line more. A dump begins with offset 0 and ends with a blank line, with the header of the next packet, or with
 * offset 0 again. No BGP message begins with 0, so a bare line is never taken for the beginning of a dump.
 */
export function stepDecode(dump: OpenDump, line: string, options: DecodeOptions): DecodeStep {
  if (line.trim() === '' || TCPDUMP_HEADER.test(line)) return { dump: undefined, answers: endDecode(dump, options) };
  const read = readDumpLine(line);
  if (read !== undefined && dump !== undefined && read.offset === dump.length && read.offset > 0) {
    return extend(dump, read);
  }
  const answers = endDecode(dump, options);
  if (read?.offset === 0) return { dump: { length: read.octets.length, lines: [read.octets] }, answers };
  const answer = read?.isPlain === true ? outOfPlace(read, dump) : decodeLine(line, options);
  return { dump: undefined, answers: [...answers, answer] };
}

/** What is left to answer when the lines have ended. */
export const endDecode = (dump: OpenDump, options: DecodeOptions): readonly Decoded[] =>
  dump === undefined ? [] : decodePacket(Uint8Array.from(dump.lines.flat()), options);

function extend({ length, lines }: NonNullable<OpenDump>, { octets }: DumpLine): DecodeStep {
  const longer = { length: length + octets.length, lines: [...lines, octets] };
  if (longer.length <= DUMP_BYTES_MAX) return { dump: longer, answers: [] };
  return { dump: undefined, answers: [inputError(`dump longer than ${DUMP_BYTES_MAX} octets`)] };
}

const outOfPlace = ({ offset }: DumpLine, dump: OpenDump): Decoded =>
  inputError(`offset ${offset} where ${dump?.length ?? 0} was due`);
