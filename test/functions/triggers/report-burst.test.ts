// Many reports at once: one writes and one looks for the newest order, the others are answered beside them.
import { HttpRequest } from '@azure/functions';
import { beforeEach, expect, jest, test } from '@jest/globals';
import { auditAhead } from '../../../functions/activities/audit-ahead.ts';
import { decideAndCommit } from '../../../functions/activities/decide-and-commit.ts';
import { answer, type Client } from '../../../functions/http/call.ts';
import { createRoutes } from '../../../functions/triggers/routes.ts';
import { createTestPlane, GROUP, reportOf, type TestPlane } from '../../support/plane.ts';
import { until } from '../../support/until.ts';

const NVA = 'we-nva-1';
const PATIENCE_MS = 60_000;
jest.setTimeout(2 * PATIENCE_MS);
const client: Client = { startNew: async () => '', getStatus: async () => ({}) as never };
const log = { warn: () => undefined, error: (...said: unknown[]) => Promise.reject(said) };

let world: TestPlane;
/** Calls to each store, and what holds their answers back. */
let calls: { putReport: number; read: number };
let held: { readonly call: keyof typeof calls; readonly until: PromiseWithResolvers<void> } | undefined;
let send: (seq: number, transition?: boolean) => Promise<{ order?: string }>;

beforeEach(async () => {
  world = createTestPlane();
  await world.report();
  await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
  await auditAhead(world.plane)({ group: GROUP });
  // What this process committed itself is known without reading for a moment.
  world.nowMs += 5000;
  calls = { putReport: 0, read: 0 };
  held = undefined;
  const { reports, ledger } = world.plane;
  const plane = {
    ...world.plane,
    reports: { ...reports, putReport: counted('putReport', reports.putReport) },
    ledger: { ...ledger, read: counted('read', ledger.read) },
  };
  const route = createRoutes().find((one) => one.name === 'report');
  send = async (seq, transition = false) => {
    const agent = world.agents.get(NVA);
    if (route === undefined || agent === undefined) throw new Error('no such route or agent');
    const report = reportOf(plane.deployment.topology, NVA, agent, world.nowMs, seq);
    const url = `http://localhost/api/agents/${NVA}/reports`;
    const headers = { authorization: 'Bearer agent' };
    const body = { string: JSON.stringify({ ...report, transition }) };
    const request = new HttpRequest({ method: 'POST', url, params: { nva: NVA }, headers, body });
    const { status, body: text } = await answer(route, { plane, client, request, log });
    expect(status).toBe(200);
    return JSON.parse(String(text));
  };
});

function counted<Given extends unknown[], Got>(name: keyof typeof calls, run: (...given: Given) => Promise<Got>) {
  return async (...given: Given): Promise<Got> => {
    calls[name] += 1;
    if (held?.call === name) await held.until.promise;
    return run(...given);
  };
}

function hold(call: keyof typeof calls): () => void {
  held = { call, until: Promise.withResolvers() };
  return held.until.resolve;
}

/** The order that the NVA has is the newest from now on. */
async function takeOrder(seq: number): Promise<void> {
  const { order } = await send(seq);
  const agent = world.agents.get(NVA);
  if (agent !== undefined) agent.order = JSON.parse(order ?? '');
  world.nowMs += 2000;
  await send(seq + 1);
  world.nowMs += 2000;
}

/** A report that looks for the newest order until it is released. */
async function beginLook(): Promise<{ readonly first: ReturnType<typeof send>; readonly release: () => void }> {
  await takeOrder(1);
  const { reportMs } = world.plane.deployment.configOf(GROUP);
  await send(9);
  world.nowMs += reportMs / 2;
  calls.read = 0;
  const release = hold('read');
  const first = send(10);
  await until('the first one looks', () => calls.read === 1, PATIENCE_MS);
  return { first, release };
}

test('reports that come while one of their NVA is written are not written beside it, a transition and a later one are', async () => {
  await takeOrder(1);
  calls.putReport = 0;
  const release = hold('putReport');
  const first = send(10);
  const others = [11, 12, 13].map((seq) => send(seq));
  await Promise.all(others);
  expect(calls.putReport).toBe(1);
  const transition = send(14, true);
  await until('a transition is written at once', () => calls.putReport === 2, PATIENCE_MS);
  world.nowMs += world.plane.deployment.configOf(GROUP).reportMs;
  const later = send(15);
  await until('a later report is written though the first write hangs', () => calls.putReport === 3, PATIENCE_MS);
  release();
  await Promise.all([first, transition, later]);
});

test('a write that fails does not stand in the way of the next', async () => {
  await takeOrder(1);
  world.outages.add('reports');
  await expect(send(10)).rejects.toThrow();
  world.outages.delete('reports');
  calls.putReport = 0;
  await send(11);
  expect(calls.putReport).toBe(1);
});

test('one report at a time looks for the newest order; those beside it have what is known', async () => {
  const { first, release } = await beginLook();
  await Promise.all([11, 12, 13].map((seq) => send(seq)));
  expect(calls.read).toBe(1);
  release();
  expect(await first).toEqual({ accepted: true });
});

test('an NVA that is behind gets the order though another report looks for it', async () => {
  const { first, release } = await beginLook();
  const agent = world.agents.get(NVA);
  if (agent !== undefined) agent.order = undefined;
  const behind = send(11);
  release();
  await first;
  expect((await behind).order).toBeDefined();
});
