// How many reports one core accepts: the real HTTP handler with schema, token check and write coalescing, on stores in memory.
import { HttpRequest } from '@azure/functions';
import { answer, type Client } from '../../functions/http/call.ts';
import { createRoutes } from '../../functions/triggers/routes.ts';
import { createTestPlane, reportOf } from '../support/plane.ts';
import type { BenchResult } from './result.ts';

const REPORTS = 5_000;
/** A report of each NVA every 20 ms of the test's clock: most fall into the same half period and are not written. */
const STEP_MS = 20;

/** Reports accepted per second, and how long one takes. */
export async function benchReports(): Promise<BenchResult[]> {
  const world = createTestPlane();
  const route = createRoutes().find((one) => one.name === 'report');
  if (route === undefined) throw new Error('no such route');
  const client: Client = { startNew: async () => '', getStatus: async () => ({}) as never };
  const log = { warn: () => undefined, error: (...said: unknown[]) => Promise.reject(said) };
  const { topology } = world.plane.deployment;
  const names = [...world.agents.keys()];
  let writes = 0;
  const put = world.plane.reports.putReport;
  const reports = {
    ...world.plane.reports,
    putReport: (...given: Parameters<typeof put>) => {
      writes += 1;
      return put(...given);
    },
  };
  const took: number[] = [];
  const beganMs = performance.now();
  for (let seq = 1; seq <= REPORTS; seq += 1) {
    const name = names[seq % names.length] ?? '';
    const agent = world.agents.get(name);
    if (agent === undefined) throw new Error('no agent');
    world.nowMs += STEP_MS;
    const body = { string: JSON.stringify(reportOf(topology, name, agent, world.nowMs, seq)) };
    const headers = { authorization: 'Bearer agent' };
    const url = `http://localhost/api/agents/${name}/reports`;
    const request = new HttpRequest({ method: 'POST', url, params: { nva: name }, headers, body });
    const startMs = performance.now();
    const { status } = await answer(route, { plane: { ...world.plane, reports }, client, request, log });
    took.push(performance.now() - startMs);
    if (status !== 200) throw new Error(`report ${seq} answered ${status}`);
  }
  const perSecond = Math.round((REPORTS / (performance.now() - beganMs)) * 1000);
  took.sort((a, b) => a - b);
  const p99 = took[Math.floor(0.99 * took.length)] ?? Number.NaN;
  return [
    { name: 'reports accepted by the handler, one core', value: perSecond, unit: '1/s' },
    { name: 'reports, time in the handler, p99', value: Math.round(p99 * 100) / 100, unit: 'ms' },
    { name: 'reports, written of each hundred', value: Math.round((writes / REPORTS) * 100), unit: 'rows' },
  ];
}
