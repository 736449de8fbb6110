// The `decode` verb: one BGP message in hex per line in, one JSON object per line out.
// Shell: reading and writing streams; bgp/decode.ts does the work.
import type { Readable, Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import { decodeLine, LINE_CHARACTERS_MAX } from './decode.ts';

export interface DecodeStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/**
 * Runs `decode [--as2]` until its input ends and answers the exit code: 2 for wrong arguments, else 0 (a line that
 * holds no message is an answer, not a failure). An endless line costs no more memory than the longest message.
 */
export async function runDecode(argv: readonly string[], streams: DecodeStreams = process): Promise<number> {
  let as2: boolean;
  try {
    as2 = parseArgs({ args: [...argv], options: { as2: { type: 'boolean', default: false } } }).values.as2;
  } catch (error) {
    streams.stderr.write(`decode: ${(error as Error).message}\n`);
    return 2;
  }
  const write = (line: string): boolean =>
    line.trim() === '' || streams.stdout.write(`${JSON.stringify(decodeLine(line, { as2 }))}\n`);
  let line = '';
  streams.stdin.setEncoding('utf8');
  for await (const chunk of streams.stdin as AsyncIterable<string>) {
    const parts = chunk.split('\n');
    for (const [index, part] of parts.entries()) {
      // One character more than allowed is kept, so that decodeLine sees that the line was too long.
      line = (line + part).slice(0, LINE_CHARACTERS_MAX + 1);
      if (index === parts.length - 1) break;
      if (!write(line)) await drained(streams.stdout);
      line = '';
    }
  }
  write(line);
  return 0;
}

function drained(stdout: Writable): Promise<void> {
  return new Promise((resolve) => stdout.once('drain', resolve));
}
