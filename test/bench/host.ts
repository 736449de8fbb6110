// One seat as it is deployed, over HTTP: size and load time of the bundle, memory, and how many reports it takes.

import { verifyOrder } from '../../shared/order-signature.ts';
import type { ReportAnswer } from '../../shared/report.ts';
import { GROUP, reportOf, type TestAgent } from '../support/plane.ts';
import { until } from '../support/until.ts';
import { type ControlRig, startControlRig } from './control-rig.ts';
import { post, sendReports } from './report-load.ts';
import type { BenchResult } from './result.ts';

const WARM_UP_REPORTS = 2_000;
const REPORTS = 10_000;
const CONNECTIONS = 16;
const LOADS = 3;
const FIRST_ORDER_MS = 30_000;

/** Figures of one seat under reports of agents that have the newest order, as in everyday service. */
export async function benchHost(): Promise<BenchResult[]> {
  const rig = await startControlRig();
  try {
    const loads = Array.from({ length: LOADS }, () => rig.loadBundle()).sort((a, b) => a - b);
    const atRest = rig.residentMegabytes();
    const reporters = await bringUp(rig);
    const run = (count: number) =>
      sendReports({ origin: rig.origin, token: rig.token, count, connections: CONNECTIONS, report: reporters.next });
    await run(WARM_UP_REPORTS);
    const { perSecond, tookMs } = await run(REPORTS);
    const at = (share: number) => hundredths(tookMs[Math.floor(share * tookMs.length)] ?? Number.NaN);
    const name = `reports over HTTP, ${CONNECTIONS} connections`;
    return [
      { name: 'function app, bundle', value: hundredths(rig.bundleBytes / 1024 / 1024), unit: 'MB' },
      { name: 'function app, load time of the bundle', value: Math.round(loads[1] ?? Number.NaN), unit: 'ms' },
      { name: 'function app, process start to serving', value: Math.round(rig.readyMs), unit: 'ms' },
      { name: 'function app, memory of the host at rest (RSS)', value: atRest, unit: 'MB' },
      { name: 'function app, memory of the host after the reports (RSS)', value: rig.residentMegabytes(), unit: 'MB' },
      { name: `${name}, accepted`, value: perSecond, unit: '1/s' },
      { name: `${name}, p50`, value: at(0.5), unit: 'ms' },
      { name: `${name}, p99`, value: at(0.99), unit: 'ms' },
    ];
  } finally {
    await rig.stop();
  }
}

const hundredths = (value: number): number => Math.round(value * 100) / 100;

interface Reporters {
  /** The next report, of each NVA in turn. */
  readonly next: () => { readonly path: string; readonly body: string };
}

/** First reports, until every NVA has taken its order from an answer. */
async function bringUp(rig: ControlRig): Promise<Reporters> {
  const agents = rig.topology.regions.flatMap((region) =>
    region.nvas.map(({ name }): [string, TestAgent] => [
      name,
      { order: undefined, verdict: 'healthy', isDead: false, refusesWith: undefined, delivered: 0 },
    ]),
  );
  let seq = 0;
  const next = (isTransition = false) => {
    const [name, agent] = agents[seq % agents.length] ?? agents[0] ?? fail();
    seq += 1;
    const report = { ...reportOf(rig.topology, name, agent, Date.now(), seq), transition: isTransition };
    const body = JSON.stringify(report);
    return { agent, path: `/api/agents/${name}/reports`, body };
  };
  await until(
    `every NVA has an order of ${GROUP}`,
    async () => {
      const { agent, path, body } = next(agents.every(([, { order }]) => order === undefined));
      const { status, text } = await post(new URL(path, rig.origin), rig.token, body);
      if (status !== 200) throw new Error(`${status}: ${text.slice(0, 200)}`);
      const { order } = JSON.parse(text) as ReportAnswer;
      const verified = order === undefined ? undefined : await verifyOrder(order, rig.orderKeys);
      if (verified?.ok) agent.order = verified.value;
      return agents.every(([, one]) => one.order !== undefined);
    },
    FIRST_ORDER_MS,
    100,
  );
  return { next: () => next() };
}

function fail(): never {
  throw new Error('the topology has no NVA');
}
