// Doctor's look at a seat: one bad answer is asked about again, a lasting one is told.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { ControlPlaneClient } from '../../../infra/cli/client.ts';
import { gatherFacts } from '../../../infra/cli/doctor/gather.ts';
import { parseTopology } from '../../../shared/topology.ts';

const parsed = parseTopology(readFileSync('infra/examples/contoso.yaml', 'utf8'));
if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
const { topology } = parsed.value;
const seat = topology.seats[0];
if (seat === undefined) throw new Error('the example has no seat');

/** What doctor learns of the seat when its health answers one after the other so; the last one goes on. */
async function lookAt(...states: readonly ('ok' | 'unreachable')[]) {
  let looks = 0;
  const health = () => {
    const ledger = states[Math.min(looks, states.length - 1)];
    looks += 1;
    const ok = ledger === 'ok';
    const body = { ok, seat: seat?.name, leader: null, ledger, decisionAgeMs: null, outboxDepth: 0 };
    return new Response(JSON.stringify(body), { status: ok ? 200 : 503 });
  };
  const answer = async (url: string) => (url.endsWith('/health') ? health() : new Response('{}', { status: 503 }));
  const client = new ControlPlaneClient(
    { name: 'test', seats: [seat?.url ?? ''] },
    { fetch: answer, token: async () => 'none', debug: undefined },
  );
  const facts = await gatherFacts({
    ...{
      topology: { ...topology, seats: topology.seats.slice(0, 1) },
      client,
      agents: 'not asked',
      azure: 'not asked',
    },
    ...{ workspaceId: undefined, ruleId: undefined, nowMs: () => 0 },
  });
  return { looks, health: facts.seats[0]?.health };
}

test('a seat whose ledger is out of reach for one look only is well', async () => {
  const { looks, health } = await lookAt('unreachable', 'ok');
  expect(health).toMatchObject({ type: 'known', value: { ok: true, ledger: 'ok' } });
  expect(looks).toBe(2);
}, 60_000);

test('a seat that is well is asked once', async () => expect((await lookAt('ok')).looks).toBe(1), 60_000);

test('a ledger that stays out of reach is told, after three looks', async () => {
  const { looks, health } = await lookAt('unreachable');
  expect(health).toMatchObject({ type: 'known', value: { ok: false, ledger: 'unreachable' } });
  expect(looks).toBe(3);
}, 60_000);
