// The `decode` verb: BGP messages in hex in, one a line or as hex dumps, one JSON object per line out.
// Shell: reading and writing streams; bgp/decode.ts does the work.
import type { Readable, Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import { type Decoded, LINE_CHARACTERS_MAX } from './decode.ts';
import { endDecode, type OpenDump, stepDecode } from './decode-input.ts';

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
  let dump: OpenDump;
  const write = (answers: readonly Decoded[]): boolean =>
    answers.map((answer) => streams.stdout.write(`${JSON.stringify(answer)}\n`)).every(Boolean);
  const take = (text: string): boolean => {
    const stepped = stepDecode(dump, text, { as2 });
    dump = stepped.dump;
    return write(stepped.answers);
  };
  let line = '';
  streams.stdin.setEncoding('utf8');
  for await (const chunk of streams.stdin as AsyncIterable<string>) {
    const parts = chunk.split('\n');
    for (const [index, part] of parts.entries()) {
      // One character more than allowed is kept, so that decodeLine sees that the line was too long.
      line = (line + part).slice(0, LINE_CHARACTERS_MAX + 1);
      if (index === parts.length - 1) break;
      if (!take(line)) await drained(streams.stdout);
      line = '';
    }
  }
  take(line);
  write(endDecode(dump, { as2 }));
  return 0;
}

function drained(stdout: Writable): Promise<void> {
  return new Promise((resolve) => stdout.once('drain', resolve));
}
