// A changed prepend through the agent's BIRD and FRR drivers, from the desired set to the peer.
import { startDriver } from '../../nva-agent/drivers/driver.ts';
import { createDrivenBird, createDrivenFrr, NVA_ADDRESS, NVA_ASN } from '../nva-agent/drivers/driven-daemons.ts';
import { freePort } from '../support/daemon.ts';
import { missing } from '../support/programs.ts';
import { BenchPeer, measureChange, PREFIX, waitForPath } from './agent-rig.ts';
import { type BenchResult, summarise } from './result.ts';

const CHANGES = 20;
const WARM_UP = 2;

const DRIVEN = [
  { name: 'this agent, BIRD driver', programs: ['/usr/sbin/bird'], create: createDrivenBird },
  { name: 'this agent, FRR driver', programs: ['/usr/lib/frr/bgpd', '/usr/bin/vtysh'], create: createDrivenFrr },
];

/** Figures of the drivers whose daemon is installed. */
export async function benchAgentDrivers(): Promise<readonly BenchResult[]> {
  const results: BenchResult[] = [];
  for (const { name, programs, create } of DRIVEN) {
    if (missing({ programs, root: true }).length > 0) continue;
    const samples = await benchDriver(create);
    const rows = summarise('order or command -> at the peer', samples, 'ms');
    results.push(
      ...rows.map((row) => ({ ...row, name: `${row.name} [${name}]`, peer: `${name}, n=${samples.length}` })),
    );
  }
  return results;
}

async function benchDriver(create: typeof createDrivenBird): Promise<number[]> {
  const peer = await BenchPeer.start();
  const daemon = await create(await freePort(NVA_ADDRESS), [{ address: '127.0.0.1', port: peer.port }]);
  await daemon.start();
  const speaker = await startDriver(daemon.driver, {
    peers: [`127.0.0.1:${peer.port}`],
    localAsn: NVA_ASN,
    routerId: '10.1.1.4',
    holdSeconds: 30,
    peerRouteLimit: 4000,
    nowMs: () => performance.now(),
    onEvent: () => undefined,
  });
  const set = (prepends: number) =>
    speaker.set([{ prefix: PREFIX, asPath: [NVA_ASN, ...Array<number>(prepends).fill(64500)], nextHop: '10.1.1.4' }]);
  try {
    const samples: number[] = [];
    set(1);
    await waitForPath(peer, (length) => length === 2);
    for (let i = 0; i < CHANGES + WARM_UP; i += 1) {
      const prepends = 2 + (i % 2);
      const tookMs = await measureChange(
        peer,
        () => set(prepends),
        (length) => length === prepends + 1,
      );
      if (i >= WARM_UP) samples.push(tookMs);
      // The daemon's table was looked at and agrees: the driver rests again.
      await waitForPath(peer, () => speaker.trouble() === undefined);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    return samples;
  } finally {
    await speaker.stop(2, 'measured');
    await daemon.stop();
    await peer.stop();
  }
}
