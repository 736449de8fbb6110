// The Python runbooks run for real against a control plane and an identity endpoint made of HTTP servers.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { z } from 'zod';
import {
  drainRequestSchema,
  drillRequestSchema,
  failbackRequestSchema,
  failoverRequestSchema,
} from '../../../shared/api.ts';
import { problem } from '../../../shared/errors.ts';
import { describeWith } from '../../support/needs.ts';
import { powershellParser, scriptParameters } from '../../support/powershell.ts';
import { pythonFile, runPython } from '../../support/runbooks.ts';

interface Vector {
  readonly name: string;
  readonly runbook: string;
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly body: Readonly<Record<string, unknown>>;
  };
}
interface Asked {
  readonly method: string;
  readonly path: string;
  readonly key: string | undefined;
  readonly authorization: string | undefined;
  readonly body: unknown;
}
type Reply = readonly [status: number, body: unknown];

const VECTORS = JSON.parse(readFileSync('test/vectors/runbooks.json', 'utf8')) as Vector[];
const NAMES = [
  'Start-AnycastFailover',
  'Start-AnycastFailback',
  'Set-AnycastDrain',
  'Start-AnycastDrill',
  'Test-AnycastHealth',
];
const AUDIENCE = 'api://anycast-failover';

let roles: string[];
let asked: Asked[];
let identityStatus: number;
let identityAsked: { url: string; header: unknown }[];
let answer: (asked: Asked, port: number) => Reply;
const servers: Server[] = [];
let seats: string[];
let identity: string;

const originOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return originOf(server);
}

function startSeat(number: number): Promise<string> {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { method = '', url = '', headers } = request;
    const one: Asked = {
      method,
      path: url.replace(/^\/api/, ''),
      key: headers['idempotency-key'] as string | undefined,
      authorization: headers.authorization,
      body: text === '' ? undefined : JSON.parse(text),
    };
    asked.push(one);
    const [status, body] = answer(one, number);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  return listen(server);
}

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

beforeAll(async () => {
  seats = [await startSeat(0), await startSeat(1)];
  identity = await listen(
    createServer((request, response) => {
      identityAsked.push({ url: request.url ?? '', header: request.headers['x-identity-header'] });
      const token = `${base64({ alg: 'none' })}.${base64({ roles, oid: 'runbook' })}.signature`;
      response.statusCode = identityStatus;
      response.end(JSON.stringify(identityStatus === 200 ? { access_token: token, token_type: 'Bearer' } : {}));
    }),
  );
});
afterAll(async () => {
  await Promise.all(
    servers.map((server) => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    }),
  );
});
beforeEach(() => {
  asked = [];
  identityAsked = [];
  roles = ['Failover.Operate'];
  identityStatus = 200;
  answer = () => [500, {}];
});

const operation = (state: string, more: object = {}) => ({ id: 'op-1', state, steps: [], problems: [], ...more });
const step = (proof: string) => ({ name: 'agent orders northeurope', proof, detail: 'ne-nva-1', atMs: 1 });
const environment = (given: readonly string[] = seats) => ({
  ANYCAST_SEATS: given.join(','),
  ANYCAST_AUDIENCE: AUDIENCE,
  IDENTITY_ENDPOINT: `${identity}/msi/token`,
  IDENTITY_HEADER: 'secret',
});
const FAILOVER = ['orders', 'CHG0042', '', '', 'false', '5', 'job-1'];

describeWith({ programs: ['python3'] }, 'Python runbooks', () => {
  test.each(NAMES)('%s is Python 3.10 with the standard library only, and has the common part', (name) => {
    const check = `import ast,sys
tree = ast.parse(open(sys.argv[1]).read(), feature_version=(3, 10))
names = [n.name.split('.')[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names]
print([n for n in names if n not in sys.stdlib_module_names], any(isinstance(n, ast.ImportFrom) for n in ast.walk(tree)))`;
    expect(execFileSync('python3', ['-c', check, pythonFile(name)], { encoding: 'utf8' }).trim()).toBe(
      "['automationassets'] False",
    );
    const parts = NAMES.map(
      (one) => /# ---- the same[\s\S]*: end ----/.exec(readFileSync(pythonFile(one), 'utf8'))?.[0],
    );
    expect(new Set(parts).size).toBe(1);
  });

  test('take their arguments in the order of the PowerShell parameters', async () => {
    const parser = await powershellParser();
    for (const name of NAMES) {
      const root = parser.parse(readFileSync(`infra/automation/powershell/${name}.ps1`, 'utf8'))?.rootNode;
      const documented = [...readFileSync(pythonFile(name), 'utf8').matchAll(/^ {2}\d+ (\w+): /gm)].map(
        ([, one]) => one,
      );
      expect([name, documented]).toEqual([name, root ? scriptParameters(root).map((one) => one.name) : []]);
    }
  });

  test.each(VECTORS)('request vector: $name', async ({ runbook, parameters, request }) => {
    const isDryRun = parameters.DryRun === true;
    answer = () =>
      isDryRun
        ? [200, { dryRun: true, allowed: true, explanation: ['one UPDATE'], blocked: [] }]
        : [202, operation('proved')];
    const parser = await powershellParser();
    const root = parser.parse(readFileSync(`infra/automation/powershell/${runbook}.ps1`, 'utf8'))?.rootNode;
    const positional = (root ? scriptParameters(root) : []).map(({ name }) => String(parameters[name] ?? ''));
    const run = await runPython(runbook, positional, environment());
    expect([run.code, run.errors]).toEqual([0, '']);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ ...request, key: parameters.Key });
    const schemas: Record<string, z.ZodType> = {
      'Start-AnycastFailover': failoverRequestSchema,
      'Start-AnycastFailback': failbackRequestSchema,
      'Set-AnycastDrain': drainRequestSchema,
      'Start-AnycastDrill': drillRequestSchema,
    };
    expect(schemas[runbook]?.safeParse(asked[0]?.body).success).toBe(true);
    expect(identityAsked).toEqual([{ url: `/msi/token?resource=${encodeURIComponent(AUDIENCE)}`, header: 'secret' }]);
    expect(asked[0]?.authorization).toMatch(/^Bearer /);
  });

  test('follow the operation with a line per change until it is proved', async () => {
    const looks = [
      operation('running', { steps: [step('waiting')] }),
      operation('proved', { steps: [step('proved')] }),
    ];
    answer = ({ method }) => (method === 'POST' ? [202, operation('running')] : [200, looks.shift()]);
    const run = await runPython('Start-AnycastFailover', FAILOVER, environment());
    expect([run.code, run.outcome.ok, run.outcome.state]).toEqual([0, true, 'proved']);
    expect(run.lines.slice(0, -1).map((line) => line.replace(/^\S+ /, ''))).toEqual([
      `op-1 accepted by ${seats[0]}`,
      'waiting: agent orders northeurope ne-nva-1',
      'proved: agent orders northeurope ne-nva-1',
    ]);
    expect(run.lines[0]).toMatch(/^\d\d:\d\d:\d\dZ /);
  });

  test.each([
    ['not-proved', 'proof-failed'],
    ['refused', 'target-unhealthy'],
    ['expired', 'deadline'],
  ])('an operation that ends %s fails the job and says why', async (state, code) => {
    answer = () => [202, operation(state, { problems: [{ code, detail: 'because' }] })];
    const run = await runPython('Start-AnycastFailover', FAILOVER, environment());
    expect([run.code, run.outcome.ok, run.outcome.code]).toEqual([1, false, state]);
    expect(run.errors).toContain(`${code}: because`);
  });

  test('a refused request and a refused dry run fail the job', async () => {
    answer = () => [409, problem(409, 'operation-running', 'Another operation is under way', { detail: 'op-7' })];
    const refused = await runPython('Start-AnycastFailover', FAILOVER, environment());
    expect([refused.code, refused.outcome.code, refused.outcome.detail]).toEqual([1, 'operation-running', 'op-7']);
    answer = () => [
      200,
      { allowed: false, alreadySo: false, explanation: [], blocked: [{ vip: 'orders', guard: 'hold', detail: 'h-1' }] },
    ];
    const dry = await runPython('Start-AnycastFailover', ['orders', 'CHG0042', '', '', 'true'], environment());
    expect([dry.code, dry.outcome.code, dry.lines[0]?.slice(10)]).toEqual([1, 'refused', 'blocked: orders: hold: h-1']);
  });

  test('an operation that never ends fails the job as pending after the time given', async () => {
    answer = ({ method }) => [method === 'POST' ? 202 : 200, operation('running')];
    const run = await runPython('Start-AnycastFailover', ['orders', 'CHG0042', '', '', '', '1', 'k'], environment());
    expect([run.code, run.outcome.code]).toEqual([1, 'pending']);
  });

  test('a seat that is gone, unwell or only follows is passed over, with the same key', async () => {
    answer = (_one, seat) =>
      seat === 0
        ? [409, problem(409, 'not-leader', 'Another seat leads', { leader: seats[1] })]
        : [202, operation('already-so')];
    const run = await runPython('Start-AnycastFailover', FAILOVER, environment(['http://127.0.0.1:1', ...seats]));
    expect([run.code, run.outcome.state]).toEqual([0, 'already-so']);
    expect(asked.map(({ key }) => key)).toEqual(['job-1', 'job-1']);
  });

  test('an operation is looked for where it was accepted', async () => {
    answer = ({ method }, seat) => {
      if (seat === 0)
        return method === 'POST' ? [503, problem(503, 'x', 'storage')] : [404, problem(404, 'unknown-operation', '')];
      return method === 'POST' ? [202, operation('running')] : [200, operation('proved')];
    };
    const run = await runPython('Start-AnycastFailover', FAILOVER, environment());
    expect(run.code).toBe(0);
    expect(asked.filter(({ method }) => method === 'GET')).toHaveLength(1);
  });

  test('without the role nothing is asked', async () => {
    roles = ['Failover.Read'];
    const run = await runPython('Start-AnycastFailover', FAILOVER, environment());
    expect([run.code, run.outcome.code, asked.length]).toEqual([1, 'role-missing', 0]);
  });

  test('missing settings and arguments are said', async () => {
    expect((await runPython('Start-AnycastFailover', ['orders'], environment())).outcome.code).toBe('missing-argument');
    expect((await runPython('Start-AnycastFailover', FAILOVER, { ANYCAST_AUDIENCE: AUDIENCE })).outcome.code).toBe(
      'no-identity',
    );
    const { ANYCAST_SEATS: _seats, ...rest } = environment();
    expect((await runPython('Start-AnycastFailover', FAILOVER, rest)).outcome.code).toBe('setting-missing');
  });

  test.each([
    ['Start-AnycastFailover', FAILOVER],
    ['Start-AnycastFailback', ['orders', 'CHG0042']],
    ['Set-AnycastDrain', ['westeurope', 'CHG0042']],
    ['Start-AnycastDrill', ['orders', 'CHG0042']],
  ])('%s says why a request was not understood, and what to do', async (runbook, positional) => {
    const errors = [{ path: 'reason', message: 'too short', code: 'too_small' }];
    answer = () => [400, problem(400, 'malformed', 'Not understood', { errors, next: 'correct it' })];
    const run = await runPython(runbook, positional, environment());
    expect([run.code, run.outcome]).toEqual([
      1,
      { ok: false, code: 'malformed', detail: 'Not understood; reason: too short', next: 'correct it' },
    ]);
    expect(run.errors).toContain('malformed');
    expect(asked).toHaveLength(1);
  });

  test('an identity endpoint that gives no token fails the job before anything is asked', async () => {
    identityStatus = 500;
    const run = await runPython('Test-AnycastHealth', [], environment());
    expect([run.code, run.outcome.code]).toEqual([1, 'no-token']);
    expect(run.outcome.detail).toContain('answered 500');
    expect(asked.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
  });

  test('seats that stay away fail the job after every round, with what each one did', async () => {
    answer = () => [503, problem(503, 'no-ledger', 'storage is away', { detail: 'storage is away' })];
    const run = await runPython('Start-AnycastFailover', FAILOVER, environment(['http://127.0.0.1:1', ...seats]));
    expect([run.code, run.outcome.code]).toEqual([1, 'no-seat']);
    expect(run.outcome.detail).toContain('HTTP 503 storage is away');
    expect(run.outcome.detail).toContain('http://127.0.0.1:1: ');
    expect(asked).toHaveLength(10);
    expect(new Set(asked.map(({ key }) => key))).toEqual(new Set(['job-1']));
  }, 120_000);

  test('an argument out of range is refused before anything is asked', async () => {
    const run = await runPython('Start-AnycastFailover', ['orders', 'CHG0042', '', '', '', 'soon'], environment());
    expect([run.code, run.outcome.code, asked.length]).toEqual([1, 'bad-argument', 0]);
  });

  test('health: well, then each thing that is not', async () => {
    const region = (name: string, verdict: string) => ({ region: name, verdict });
    const status = {
      ...{ leader: 'seat-we', ledger: 'ok', automation: 'on', decidedAtMs: 90_000, nowMs: 100_000, alerts: [] },
      vips: [
        {
          vip: 'orders',
          acting: 'westeurope',
          servedBy: 'westeurope',
          regions: [region('westeurope', 'healthy'), region('northeurope', 'lost')],
        },
      ],
    };
    let health: Reply = [200, { leader: 'seat-we', ledger: 'ok' }];
    let shown: object = status;
    answer = ({ path }) => (path === '/health' ? health : [200, shown]);
    const well = await runPython('Test-AnycastHealth', [], environment());
    expect([well.code, well.outcome]).toEqual([0, { ok: true, seats: 2, vips: 1, alerts: [] }]);
    expect(asked.map(({ path }) => path)).toEqual(['/health', '/health', '/status']);
    health = [503, { leader: null, ledger: 'unreachable' }];
    shown = {
      ...status,
      leader: null,
      ledger: 'unreachable',
      automation: 'untrusted',
      decidedAtMs: 1,
      vips: [{ ...status.vips[0], acting: 'northeurope' }],
    };
    const sick = await runPython('Test-AnycastHealth', [], environment());
    expect(sick.code).toBe(1);
    expect((sick.outcome.problems as string[]).map((one) => one.replace(/^http\S+/, 'seat'))).toEqual([
      'seat HTTP 503, ledger unreachable',
      'seat HTTP 503, ledger unreachable',
      'nobody leads',
      'the ledger is unreachable',
      'the ledger was rebuilt and waits for a person',
      'the last decision is older than 60 s',
      'orders: the acting region northeurope is lost',
    ]);
  });
});
