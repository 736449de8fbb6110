// The peers, measured with the same application and the same BGP peer as the agent: crash, hang, command to peer RIB.
import { missing } from '../support/programs.ts';
import { measureOutage } from './agent-client.ts';
import { CONTENDERS, type ContenderKind } from './agent-contenders.ts';
import { BenchApp, BenchPeer, measureChange, waitForPath } from './agent-rig.ts';
import { type BenchResult, summarise } from './result.ts';

/** All contenders at once, crashes beside hangs: they measure in seconds, and each has application and peer of its own. */
const DETECTION_BUDGET_MS = 60_000;
const SAMPLES_MAX = 20;
const COMMANDS_MAX = 30;
const COMMAND_BUDGET_MS = 10_000;
/** FRR's first command waits for its update group. */
const COMMAND_WARM_UP = 2;

type Fault = 'SIGKILL' | 'SIGSTOP';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Figures of every peer that is installed; one that is not is said to be missing on stderr and left out. */
export async function benchAgentPeers(): Promise<readonly BenchResult[]> {
  const kinds = CONTENDERS.filter((kind) => {
    const absent = missing({ programs: kind.programs, root: true });
    if (absent.length > 0) process.stderr.write(`${kind.name}: not measured, ${absent.join(', ')} missing\n`);
    return absent.length === 0;
  });
  const results: BenchResult[] = [];
  // One after another: these are milliseconds.
  for (const kind of kinds.filter(({ name }) => !name.includes('1 s x 3')))
    results.push(...(await benchCommands(kind)));
  const detections = await Promise.all(
    kinds.flatMap((kind) => [
      benchDetection(kind, 'application killed -> off the path at the peer', 'SIGKILL'),
      benchDetection(kind, 'application hangs -> off the path at the peer', 'SIGSTOP'),
    ]),
  );
  return [...results, ...detections.flat()];
}

async function benchCommands(kind: ContenderKind): Promise<BenchResult[]> {
  const peer = await BenchPeer.start();
  const contender = await kind.start(peer.port);
  try {
    const samples: number[] = [];
    const endMs = performance.now() + COMMAND_BUDGET_MS;
    await contender.command(1);
    await waitForPath(peer, (length) => length > 0);
    for (let i = 0; i < COMMANDS_MAX + COMMAND_WARM_UP && (performance.now() < endMs || samples.length < 2); i += 1) {
      const prepends = 2 + (i % 2);
      const tookMs = await measureChange(
        peer,
        () => contender.command(prepends),
        (length) => length === prepends + 1,
      );
      if (i >= COMMAND_WARM_UP) samples.push(tookMs);
      await pause(20);
    }
    return beside(summarise('order or command -> at the peer', samples, 'ms'), kind.name, samples.length);
  } finally {
    await contender.stop();
    await peer.stop();
  }
}

/** One fault again and again, each from a random moment of the check's period. */
async function benchDetection(kind: ContenderKind, what: string, signal: Fault): Promise<BenchResult[]> {
  const app = await BenchApp.start();
  const peer = await BenchPeer.start();
  const contender = await kind.start(peer.port, app.port);
  try {
    const samples = await collect(app, peer, performance.now() + DETECTION_BUDGET_MS, signal);
    const outages = samples.flatMap(({ outageMs }) => outageMs ?? []);
    return beside(
      [
        ...summarise(
          what,
          samples.map(({ tookMs }) => tookMs),
          'ms',
        ),
        ...(outages.length === 0 ? [] : summarise('client outage, application killed', outages, 'ms')),
      ],
      kind.name,
      samples.length,
    );
  } finally {
    app.signal('SIGKILL');
    await contender.stop();
    await peer.stop();
  }
}

interface Sample {
  readonly tookMs: number;
  /** What a client went without; not asked of an application that hangs: its requests would wait for their own timeout. */
  readonly outageMs?: number;
}

/** At least two samples, whatever the budget says. Healthy is the path of one ASN; anything else is out of the way. */
async function collect(app: BenchApp, peer: BenchPeer, endMs: number, signal: Fault): Promise<Sample[]> {
  const samples: Sample[] = [];
  const isOnPath = (length: number) => length === 1;
  const fail = () =>
    measureChange(
      peer,
      () => app.signal(signal),
      (length) => !isOnPath(length),
    );
  let lastMs = 0;
  while (samples.length < SAMPLES_MAX && (samples.length < 2 || performance.now() + lastMs < endMs)) {
    const startedMs = performance.now();
    await waitForPath(peer, isOnPath);
    await pause(500 + Math.random() * 1000);
    if (signal === 'SIGKILL') {
      let tookMs = 0;
      const outageMs = await measureOutage(
        app.port,
        () => isOnPath(peer.pathLength),
        async () => {
          tookMs = await fail();
        },
      );
      samples.push({ tookMs, outageMs });
      await app.live();
    } else {
      samples.push({ tookMs: await fail() });
      app.signal('SIGCONT');
    }
    lastMs = performance.now() - startedMs;
  }
  return samples;
}

const beside = (rows: readonly BenchResult[], peer: string, samples: number): BenchResult[] =>
  rows.map((row) => ({ ...row, name: `${row.name} [${peer}]`, peer: `${peer}, n=${samples}` }));
