// How many UPDATEs the codec reads and writes per second on one core.
import { decodeMessage, encodeMessage } from '../../nva-agent/bgp/codec.ts';
import type { UpdateMessage } from '../../nva-agent/bgp/messages.ts';

export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

const ROUNDS = 5;
const MESSAGES_PER_ROUND = 40_000;

/** A vip's UPDATE as the agent sends it: four ASNs, a community, one prefix. */
const UPDATE: UpdateMessage = {
  type: 'update',
  withdrawn: [],
  announced: ['192.0.2.10/32'],
  origin: 'igp',
  asPath: [65001, 64500, 64500, 64500],
  nextHop: '10.1.1.4',
  communities: ['65001:1'],
};

/** The best of a few rounds: what the code can do when the machine lets it. */
function bestPerSecond(work: () => void): number {
  let best = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const startMs = performance.now();
    for (let index = 0; index < MESSAGES_PER_ROUND; index += 1) work();
    best = Math.max(best, MESSAGES_PER_ROUND / ((performance.now() - startMs) / 1000));
  }
  return Math.round(best);
}

export function benchCodec(): BenchRow[] {
  const bytes = encodeMessage(UPDATE, { as4: true });
  const readOptions = { as4: true, isExternal: true };
  return [
    { name: 'codec-decode-update', value: bestPerSecond(() => decodeMessage(bytes, readOptions)), unit: 'messages/s' },
    {
      name: 'codec-encode-update',
      value: bestPerSecond(() => encodeMessage(UPDATE, { as4: true })),
      unit: 'messages/s',
    },
  ];
}
