// Veto webhooks: asked before automation moves, refusal and silence honoured in bounded time, everything on record.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { decideAndCommit } from '../../functions/activities/decide-and-commit.ts';
import { createVetoWebhook } from '../../functions/adapters/veto-webhook.ts';
import type { Plane } from '../../functions/deployment.ts';
import { explainVip } from '../../functions/engine/explain.ts';
import { readOverview } from '../../functions/overview.ts';
import type { VetoQuestion, VetoSource } from '../../functions/ports.ts';
import { OperatingError } from '../../shared/errors.ts';
import { createTestPlane, GROUP, type TestPlane, testTopology } from '../support/plane.ts';

interface Scene {
  readonly world: TestPlane;
  readonly plane: Plane;
  readonly questions: VetoQuestion[];
  answer: VetoSource['ask'];
}

async function scene(onTimeout = 'allow', more: object = {}): Promise<Scene> {
  const topology = testTopology((draft) => {
    draft.guards = { ...draft.guards, veto: { url: 'https://change.example/veto', onTimeout }, ...more };
  });
  const world = createTestPlane({ topology });
  const questions: VetoQuestion[] = [];
  const vetoes: VetoSource = {
    ask: (veto, question) => {
      questions.push(question);
      return told.answer(veto, question);
    },
  };
  const plane: Plane = { ...world.plane, vetoes };
  const told: Scene = { world, plane, questions, answer: async () => ({ isAllowed: true, detail: '' }) };
  for (let i = 0; i < 20; i += 1) await step(told);
  return told;
}

async function step({ world, plane }: Scene, wish?: Parameters<ReturnType<typeof decideAndCommit>>[0]['wish']) {
  world.nowMs += 2000;
  await world.report();
  const looked = await decideAndCommit(plane)({ group: GROUP, correlationId: 'c', ...(wish && { wish }) });
  await world.plane.outbox.append(GROUP, world.ledgerNow().pending);
  if (!looked.ok) throw new Error(looked.code);
  return looked;
}

const fail = ({ world }: Scene) => {
  const we = world.agents.get('we-nva-1');
  if (we) we.verdict = 'unhealthy';
};
const acting = ({ world }: Scene) => world.ledgerNow().policy.vips.orders?.acting;
const reasons = ({ world }: Scene) => world.outbox.rows(GROUP).map(({ record }) => record.Reason);

describe('before a takeover', () => {
  test('the webhook is told what is about to happen, and allows', async () => {
    const told = await scene();
    expect(told.questions).toEqual([]);
    fail(told);
    await step(told);
    expect(acting(told)).toBe('northeurope');
    expect(told.questions).toHaveLength(1);
    expect(told.questions[0]).toMatchObject({
      ...{ group: GROUP, vip: 'orders', from: 'westeurope', to: 'northeurope', kind: 'takeover' },
      ...{ reason: 'app-unhealthy', isNecessary: true },
    });
    expect(reasons(told)).toContain('veto-allowed');
  });

  test('a refusal stops it, is explained and recorded, and counts for a minute', async () => {
    const told = await scene();
    told.answer = async () => ({ isAllowed: false, detail: 'change freeze' });
    fail(told);
    await step(told);
    expect(acting(told)).toBe('westeurope');
    expect(reasons(told)).toEqual(expect.arrayContaining(['veto', 'veto-refused']));
    const overview = await readOverview(told.plane, GROUP);
    if (overview === undefined) throw new Error('no ledger');
    const lines = explainVip(overview.ledger.policy, overview.decision, overview.config, 'orders', overview.nowMs);
    expect(lines.join('\n')).toMatch(/stopped by veto.*refused: change freeze/);
    for (let i = 0; i < 20; i += 1) await step(told);
    expect(told.questions).toHaveLength(1);
    told.answer = async () => ({ isAllowed: true, detail: '' });
    for (let i = 0; i < 12; i += 1) await step(told);
    expect(acting(told)).toBe('northeurope');
  });

  test.each([
    ['allow', 'northeurope'],
    ['deny', 'westeurope'],
  ])('no answer means %s: %s acts', async (onTimeout, expected) => {
    const told = await scene(onTimeout);
    told.answer = async () => {
      throw new OperatingError('veto', 'timeout', { retryable: true });
    };
    fail(told);
    await step(told);
    expect(acting(told)).toBe(expected);
    expect(reasons(told)).toContain('veto-no-answer');
  });

  test('people are not asked about', async () => {
    const told = await scene();
    const intent = {
      ...{ id: 'i-1', type: 'failover' as const, vip: 'orders', actor: 'ops', actorType: 'human' as const },
      ...{ reason: 'patch', force: [], createdAtMs: told.world.nowMs, deadlineMs: told.world.nowMs + 120_000 },
      operation: 'op-1',
    };
    await step(told, { type: 'intent', intent });
    expect([acting(told), told.questions.length]).toEqual(['northeurope', 0]);
  });

  test('a refused failback does not stop a takeover', async () => {
    const told = await scene('allow', { humanHoldSeconds: 0 });
    fail(told);
    await step(told);
    const we = told.world.agents.get('we-nva-1');
    if (we) we.verdict = 'healthy';
    told.answer = async () => ({ isAllowed: false, detail: 'not in the evening' });
    for (let i = 0; i < 320 && told.questions.length < 2; i += 1) await step(told);
    expect(told.questions.at(-1)).toMatchObject({ kind: 'failback', isNecessary: false });
    expect(acting(told)).toBe('northeurope');
    const ne = told.world.agents.get('ne-nva-1');
    if (ne) ne.verdict = 'unhealthy';
    told.answer = async () => ({ isAllowed: true, detail: '' });
    await step(told);
    expect([acting(told), told.questions.at(-1)?.kind]).toEqual(['westeurope', 'takeover']);
  });
});

describe('webhook', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });
  const serve = async (status: number, body: string | undefined) => {
    const seen: { body: string; authorization: string | undefined }[] = [];
    server = createServer(async (request, response) => {
      let text = '';
      for await (const part of request) text += String(part);
      seen.push({ body: text, authorization: request.headers.authorization });
      if (body !== undefined) response.writeHead(status, { location: '/elsewhere' }).end(body);
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, seen };
  };
  const credential = {
    getToken: async (scope: string | string[]) => ({ token: String(scope), expiresOnTimestamp: 0 }),
  };
  const question = { vip: 'orders', to: 'northeurope' } as VetoQuestion;
  const ask = (url: string, more: object = {}) =>
    createVetoWebhook(credential).ask({ url, timeoutMs: 300, onTimeout: 'allow', ...more }, question);

  test('asks by POST, with a token when an audience is named, and reads the answer', async () => {
    const { url, seen } = await serve(200, '{"allow":false,"reason":"freeze","ticket":7}');
    expect(await ask(url, { audience: 'api://change' })).toEqual({ isAllowed: false, detail: 'freeze' });
    expect(seen).toEqual([{ body: JSON.stringify(question), authorization: 'Bearer api://change/.default' }]);
  });

  test.each([
    ['an error', 500, '{"allow":true}'],
    ['a redirect', 302, '{"allow":true}'],
    ['something else than JSON', 200, 'yes'],
    ['another form', 200, '{"allowed":"yes"}'],
    ['too much', 200, `{"allow":true,"reason":"${'x'.repeat(5000)}"}`],
    ['nothing at all', 200, undefined],
  ])('%s is no answer, in time', async (_what, status, body) => {
    const { url } = await serve(status, body);
    const beganMs = Date.now();
    await expect(ask(url)).rejects.toBeInstanceOf(OperatingError);
    expect(Date.now() - beganMs).toBeLessThan(10_000);
  });
});
