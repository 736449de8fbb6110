// Fuzzes framer, codec and decode verb: `npm run fuzz -- [--seconds N | --messages N] [--seed S]`.
// Messages are grown from a grammar of parts, then octets, lengths and ends are changed. One seed reproduces a run.
import { parseArgs } from 'node:util';
import { decodeMessage, encodeMessage } from '../../nva-agent/bgp/codec.ts';
import { receive } from '../../nva-agent/bgp/frame.ts';
import { message, open, update } from '../support/bgp-bytes.ts';
import { octetsOf, VECTORS } from '../vectors/bgp/messages.ts';

export interface FuzzResult {
  readonly messages: number;
  readonly perSecond: number;
  readonly seed: number;
  /** Messages by what became of them: every one must be reached, or the fuzzer looks at nothing. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly heapGrowthBytes: number;
  readonly seconds: number;
}

/** A message takes microseconds; one that takes this long is a hang in the making (a busy machine's pauses are shorter). */
const MESSAGE_MS_MAX = 1000;
const AGAIN_MS = 50;
const HEAP_GROWTH_BYTES_MAX = 64 * 1024 * 1024;
const BATCH = 1000;
const WARM_MESSAGES = 1_000_000;

/** mulberry32: small, fast, and the same everywhere. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
type Random = ReturnType<typeof randomFrom>;

const SEEDS = VECTORS.map(({ hex }) => octetsOf(hex));
const octets = (random: Random, count: number): number[] => Array.from({ length: count }, () => random(256));

function growPrefix(random: Random): number[] {
  const bits = random(20) === 0 ? random(256) : random(33);
  return [bits, ...octets(random, Math.min(4, (bits + 7) >>> 3))];
}

function growAttribute(random: Random): number[] {
  const code = random(4) === 0 ? random(256) : 1 + random(18);
  const flags = random(3) === 0 ? octets(random, 1) : [[0x40], [0x80], [0xc0]][random(3)];
  const value = random(3) === 0 ? [2, 1, ...octets(random, 4)] : octets(random, random(3) === 0 ? random(40) : 4);
  const [flag = 0] = flags ?? [];
  const length = random(30) === 0 ? random(256) : value.length;
  return (flag & 0x10) === 0 ? [flag, code, length, ...value] : [flag, code, 0, length, ...value];
}

function growList(random: Random, most: number, grow: (random: Random) => number[]): number[][] {
  return Array.from({ length: random(most) }, () => grow(random));
}

function grow(random: Random): Uint8Array {
  switch (random(6)) {
    case 0:
      return open({
        parameters: growList(random, 4, growParameter).flat(),
        holdSeconds: random(10),
        version: 4 - (random(9) >> 3),
      });
    case 1:
      return message(1 + random(6), octets(random, random(60)));
    case 2:
      return (SEEDS[random(SEEDS.length)] as Uint8Array).slice();
    default:
      return update({
        withdrawn: growList(random, 4, growPrefix).flat(),
        attributes: [
          ...(random(2) === 0
            ? [
                [0x40, 1, 1, random(4)],
                [0x40, 2, 6, 2, 1, ...octets(random, 4)],
                [0x40, 3, 4, 10, ...octets(random, 3)],
              ]
            : []),
          ...growList(random, 8, growAttribute),
        ],
        nlri: growList(random, 4, growPrefix).flat(),
      });
  }
}

function growParameter(random: Random): number[] {
  const value = octets(random, random(8));
  const capability = [[1, 2, 65, 70, 64][random(5)] as number, value.length, ...value];
  return [random(8) === 0 ? random(256) : 2, capability.length, ...capability];
}

function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  for (let changes = random(4); changes > 0; changes -= 1) {
    // The header is mostly left alone, or nothing would come through to the codec.
    const at = random(10) === 0 ? random(bytes.length) : Math.min(bytes.length - 1, 19 + random(bytes.length));
    bytes[at] = random(3) === 0 ? ([0, 1, 127, 128, 255][random(5)] as number) : random(256);
  }
  return random(20) === 0 ? bytes.slice(0, random(bytes.length + 1)) : bytes;
}

function outcomeOf(bytes: Uint8Array, as4: boolean, isExternal: boolean): string {
  const received = receive(new Uint8Array(0), bytes);
  if (received.error !== undefined) return 'header error';
  const [whole] = received.messages;
  if (whole === undefined) return 'need more';
  const decoded = decodeMessage(whole, { as4, isExternal });
  if (!decoded.ok) return `${decoded.error.code === 2 ? 'OPEN' : decoded.error.code === 3 ? 'UPDATE' : 'other'} error`;
  const { value } = decoded;
  if (value.type !== 'update') return value.type;
  if (value.treatAsWithdraw === true) return 'treat as withdraw';
  encodeMessage(value, { as4: true });
  return value.discardedAttributes === undefined ? 'update' : 'attribute discard';
}

/** When a run ends: whichever comes first. */
export interface FuzzLimit {
  readonly seconds?: number;
  readonly messages?: number;
}

/** Fuzzes up to a limit; throws with the seed and the octets if a message throws, hangs, or memory grows. */
export function fuzz({ seconds = Infinity, messages: most = Infinity }: FuzzLimit, seed: number): FuzzResult {
  const random = randomFrom(seed);
  const outcomes: Record<string, number> = {};
  const startMs = performance.now();
  let messages = 0;
  let slowestMs = 0;
  let slowest: Uint8Array = new Uint8Array(0);
  let heapBytes: number | undefined;
  // Measured once the code is warm.
  const isWarm = () => performance.now() - startMs > seconds * 250 || messages > Math.min(WARM_MESSAGES, most / 4);
  while (performance.now() - startMs < seconds * 1000 && messages < most) {
    for (let index = Math.min(BATCH, most - messages); index > 0; index -= 1) {
      const bytes = mutate(grow(random), random);
      const { outcome, tookMs } = timed(bytes, random, seed);
      if (tookMs > slowestMs) [slowestMs, slowest] = [tookMs, bytes];
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      messages += 1;
    }
    if (isWarm()) heapBytes ??= heapUsed();
  }
  const heapGrowthBytes = heapUsed() - (heapBytes ?? heapUsed());
  const tookSeconds = Math.round((performance.now() - startMs) / 100) / 10;
  const perSecond = Math.round(messages / Math.max(0.1, tookSeconds));
  if (slowestMs > MESSAGE_MS_MAX)
    throw new Error(`seed ${seed}: a message took ${slowestMs.toFixed(0)} ms: ${Buffer.from(slowest).toString('hex')}`);
  if (heapGrowthBytes > HEAP_GROWTH_BYTES_MAX)
    throw new Error(`seed ${seed}: the heap grew by ${heapGrowthBytes} octets`);
  return { messages, perSecond, seed, outcomes, slowestMs, heapGrowthBytes, seconds: tookSeconds };
}

/** A machine that paused us is no hang: what took long is asked once more, and the shorter time counts. */
function timed(bytes: Uint8Array, random: Random, seed: number): { outcome: string; tookMs: number } {
  const [as4, isExternal] = [random(4) !== 0, random(2) === 0];
  const once = () => {
    const startMs = performance.now();
    return { outcome: tryOne(bytes, as4, isExternal, seed), tookMs: performance.now() - startMs };
  };
  const first = once();
  return first.tookMs < AGAIN_MS ? first : { outcome: first.outcome, tookMs: Math.min(first.tookMs, once().tookMs) };
}

function tryOne(bytes: Uint8Array, as4: boolean, isExternal: boolean, seed: number): string {
  try {
    return outcomeOf(bytes, as4, isExternal);
  } catch (error) {
    throw new Error(`seed ${seed}: ${Buffer.from(bytes).toString('hex')}`, { cause: error });
  }
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { seconds: { type: 'string' }, messages: { type: 'string' }, seed: { type: 'string' } },
  });
  const seed = values.seed === undefined ? Date.now() % 2 ** 32 : Number(values.seed);
  const messages = values.messages === undefined ? {} : { messages: Number(values.messages) };
  const seconds = values.seconds ?? (values.messages === undefined ? '10' : undefined);
  const limit = { ...messages, ...(seconds === undefined ? {} : { seconds: Number(seconds) }) };
  console.log(JSON.stringify(fuzz(limit, seed), undefined, 2));
}
