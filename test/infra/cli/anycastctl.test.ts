// The command line against a control plane made of a real HTTP server: what is printed, what is sent, how it ends.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { runCommandLine } from '../../../infra/cli/program.ts';
import type { Terminal } from '../../../infra/cli/terminal.ts';
import type { Operation, Plan } from '../../../shared/api.ts';
import { problem } from '../../../shared/errors.ts';
import { operation, plan, status } from './answers.ts';

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
}
type Reply = { status: number; body: unknown };

let server: Server;
let url: string;
let directory: string;
let seen: Seen[];
let route: (request: Seen) => Reply;

beforeEach(async () => {
  seen = [];
  directory = mkdtempSync(join(tmpdir(), 'anycastctl-'));
  server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const one: Seen = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: text === '' ? {} : JSON.parse(text),
    };
    seen.push(one);
    const reply = route(one);
    response.writeHead(reply.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(reply.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

interface Run {
  readonly code: number;
  readonly out: string[];
  readonly talk: string[];
}

async function anycastctl(
  argv: string[],
  options: { interactive?: boolean; columns?: number; answers?: string[]; env?: Record<string, string> } = {},
): Promise<Run> {
  const out: string[] = [];
  const talk: string[] = [];
  const answers = [...(options.answers ?? [])];
  let nowMs = 1_000_000;
  const terminal: Terminal = {
    print: (line) => out.push(line),
    say: (line) => talk.push(line),
    columns: options.columns ?? 120,
    isInteractive: options.interactive ?? false,
    paint: (_style, text) => text,
    ask: async (question) => {
      talk.push(question);
      return answers.shift();
    },
    sleep: async (ms) => {
      nowMs += ms;
    },
    nowMs: () => nowMs,
  };
  const env = {
    ANYCAST_CONFIG: join(directory, 'none.yaml'),
    ANYCAST_TOKEN: 't0ken',
    ANYCAST_URL: url,
    ...options.env,
  };
  return { code: await runCommandLine(argv, env, () => terminal), out, talk };
}

describe('status', () => {
  beforeEach(() => {
    route = () => ({ status: 200, body: status });
  });
  test('on a pipe is tab separated, nothing else', async () => {
    const run = await anycastctl(['status']);
    expect(run.code).toBe(0);
    expect(run.out).toEqual([
      'VIP\tREGION\tROLE\tSERVES\tVERDICT\tPREPEND\tROUTE-SERVER\tCIRCUIT\tSINCE',
      'orders\twesteurope\tprimary\tyes\t● healthy\t12 (r4)\t2/2 proved\tnot checked\t10s',
      'orders\tnortheurope\tbackup\t-\t● healthy\t15 (r5)\t2/2 proved\tnot checked\t10s',
    ]);
    expect(run.talk).toEqual([]);
    expect(seen[0]?.headers.authorization).toBe('Bearer t0ken');
  });
  test('on a terminal has a headline, a table and a closing line', async () => {
    const { out } = await anycastctl(['status'], { interactive: true });
    expect(out[0]).toContain('seat-we leads, epoch 7 generation 412   decided 3s ago   automation on');
    expect(out.some((line) => /^orders\s+westeurope\s+primary\s+yes/.test(line))).toBe(true);
    expect(out.at(-1)).toBe('1 vips, 1 on their first region.');
  });
  test('on a narrow terminal drops columns and says so', async () => {
    const { out } = await anycastctl(['status'], { interactive: true, columns: 70 });
    expect(out.join('\n')).not.toContain('CIRCUIT');
    expect(out.join('\n')).toContain('--json');
  });
  test('as JSON is the document itself', async () => {
    const { out } = await anycastctl(['status', '--json']);
    expect(JSON.parse(out.join(''))).toEqual(status);
  });
  test('with the ledger out of reach is an error that says what still holds', async () => {
    route = () => ({ status: 200, body: { ...status, ledger: 'unreachable', vips: [] } });
    const run = await anycastctl(['status']);
    expect(run.code).toBe(1);
    expect(run.talk.join('\n')).toMatch(/ledger is unreachable[\s\S]*keep their last orders/);
  });
  test('says what needs saying: ledger, holds, blocked moves, vips away from home', async () => {
    const [vip] = status.vips;
    if (vip === undefined) throw new Error('fixture');
    route = () => ({
      status: 200,
      body: {
        ...status,
        ledger: 'unreachable',
        holds: [
          { id: 'h-1', vip: null, actor: 'ops', reason: 'CHG1', createdAtMs: 0, expiresAtMs: 160_000, full: false },
        ],
        vips: [
          {
            ...vip,
            acting: 'northeurope',
            reason: 'app-unhealthy',
            detail: '3 of 5 refused',
            blocked: [{ kind: 'failback', region: 'westeurope', guard: 'pacing', detail: '12 s left' }],
          },
        ],
      },
    });
    const text = (await anycastctl(['status'], { interactive: true })).out.join('\n');
    for (const part of [
      'the ledger is unreachable',
      'hold h-1 on all vips by ops for another 1m',
      'app-unhealthy: 3 of 5 refused',
      'held back by pacing: 12 s left',
    ]) {
      expect(text).toContain(part);
    }
  });
});

describe('failover', () => {
  const argv = ['failover', 'orders', '--to', 'northeurope', '--reason', 'CHG0042'];
  const answerWith = (previews: Plan[], started: () => Reply, operations: Operation[]) => {
    route = (request) => {
      if (request.method === 'GET')
        return { status: 200, body: operations.length > 1 ? operations.shift() : operations[0] };
      return request.body.dryRun === true
        ? { status: 200, body: previews.length > 1 ? previews.shift() : previews[0] }
        : started();
    };
  };
  const accepted = () => ({ status: 202, body: operation({ state: 'running' }) });
  const mutations = () => seen.filter((request) => request.method === 'POST' && request.body.dryRun !== true);

  test('--dry-run explains, changes nothing, and ends as the move would', async () => {
    answerWith([plan()], accepted, [operation()]);
    const run = await anycastctl([...argv, '--dry-run']);
    expect(run.code).toBe(0);
    expect(run.out.join('\n')).toContain('one UPDATE: ×15 -> ×9');
    expect(mutations()).toEqual([]);
    answerWith(
      [
        plan({
          allowed: false,
          actions: [],
          blocked: [{ vip: 'orders', guard: 'target-unhealthy', detail: 'HTTP 503' }],
        }),
      ],
      accepted,
      [operation()],
    );
    expect((await anycastctl([...argv, '--dry-run'])).code).toBe(5);
  });
  test('--confirm moves, bound to the preview, and waits for the proof', async () => {
    answerWith([plan()], accepted, [operation({ state: 'running', steps: [] }), operation()]);
    const run = await anycastctl([...argv, '--confirm', 'orders']);
    expect(run.code).toBe(0);
    expect(mutations()[0]?.body).toMatchObject({ to: 'northeurope', reason: 'CHG0042', seenGeneration: 412 });
    expect(mutations()[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(run.out.join('\n')).toMatch(
      /\(✓\) agent acknowledged.*\n.*SUCCESS: failover orders to northeurope; 1 proved, 0 not checked/s,
    );
  });
  test('without a terminal and without --confirm nothing is sent', async () => {
    answerWith([plan()], accepted, [operation()]);
    const run = await anycastctl(argv);
    expect(run.code).toBe(2);
    expect(run.talk.join('\n')).toContain('--confirm=orders');
    expect(mutations()).toEqual([]);
  });
  test.each([
    ['', 3],
    ['order', 3],
    ['orders', 0],
  ])('on a terminal the typed name %j ends with %d', async (typed, code) => {
    answerWith([plan()], accepted, [operation()]);
    const run = await anycastctl(argv, { interactive: true, answers: [typed] });
    expect(run.code).toBe(code);
    expect(mutations()).toHaveLength(code === 0 ? 1 : 0);
  });
  test('a refusal names the guard, the reason and the way to override it', async () => {
    answerWith(
      [
        plan({
          allowed: false,
          actions: [],
          blocked: [{ vip: 'orders', guard: 'target-unhealthy', detail: 'HTTP 503 on 3 of 5' }],
        }),
      ],
      accepted,
      [operation()],
    );
    const run = await anycastctl([...argv, '--confirm', 'orders']);
    expect(run.code).toBe(5);
    expect(run.talk.join('\n')).toMatch(/HTTP 503 on 3 of 5[\s\S]*--force target-unhealthy/);
    expect(mutations()).toEqual([]);
  });
  test('what is already so is success without a move', async () => {
    answerWith([plan({ alreadySo: true, actions: [] })], accepted, [operation()]);
    expect((await anycastctl([...argv, '--confirm', 'orders'])).code).toBe(0);
    expect(mutations()).toEqual([]);
  });
  test('a policy that changed since the preview gives a new preview, at most three times', async () => {
    answerWith([plan()], () => ({ status: 409, body: problem(409, 'moved-on', 'changed') }), [operation()]);
    const run = await anycastctl([...argv, '--confirm', 'orders']);
    expect(run.code).toBe(5);
    expect(mutations()).toHaveLength(3);
  });
  test.each([
    ['not-proved', 6],
    ['refused', 5],
    ['expired', 5],
    ['failed', 1],
    ['already-so', 0],
  ] as const)('an operation that ends %s ends with %d', async (state, code) => {
    answerWith([plan()], accepted, [operation({ state, problems: [{ code: 'x', detail: 'because' }] })]);
    expect((await anycastctl([...argv, '--confirm', 'orders'])).code).toBe(code);
  });
  test('an operation that does not end is left running at --timeout', async () => {
    answerWith([plan()], accepted, [operation({ state: 'running' })]);
    const run = await anycastctl([...argv, '--confirm', 'orders', '--timeout', '2s']);
    expect(run.code).toBe(8);
    expect(run.talk.join('\n')).toContain('anycastctl operation op-1 --watch');
  });
  test('--force is sent guard by guard', async () => {
    answerWith([plan()], accepted, [operation()]);
    await anycastctl([...argv, '--confirm', 'orders', '--force', 'pacing', '--force', 'headroom']);
    expect(mutations()[0]?.body.force).toEqual(['pacing', 'headroom']);
  });
});

describe('hold and resume', () => {
  const held = () => operation({ kind: 'hold', steps: [{ name: 'held', proof: 'proved', detail: 'h-19', atMs: 1 }] });
  test('a hold is followed to its end and named for its release', async () => {
    route = (request) => ({
      status: request.method === 'POST' ? 202 : 200,
      body: request.method === 'POST' ? { ...held(), state: 'running' } : held(),
    });
    const run = await anycastctl(['hold', 'orders', '--for', '10m', '--reason', 'CHG0039']);
    expect(run.code).toBe(0);
    expect(run.out.join('\n')).toMatch(/orders is held for 10m \(h-19\)[\s\S]*anycastctl resume h-19/);
    expect(seen[0]?.body).toEqual({ vip: 'orders', seconds: 600, reason: 'CHG0039', full: false, dryRun: false });
  });
  test('a hold that could not be put down is an error', async () => {
    route = (request) => ({
      status: request.method === 'POST' ? 202 : 200,
      body: { ...held(), state: 'expired', steps: [] },
    });
    expect((await anycastctl(['hold', '--reason', 'CHG0039'])).code).toBe(5);
  });
  test('resume releases it, with the reason on record', async () => {
    route = () => ({ status: 200, body: held() });
    const run = await anycastctl(['resume', 'h-19', '--reason', 'done early']);
    expect(run.code).toBe(0);
    expect([seen[0]?.method, seen[0]?.path]).toEqual(['DELETE', '/api/holds/h-19?reason=done%20early']);
  });
});

describe('trouble', () => {
  test.each([
    [401, 4],
    [403, 4],
    [404, 2],
    [400, 2],
    [409, 5],
    [500, 1],
  ])('HTTP %d ends with %d and the problem in words', async (httpStatus, code) => {
    route = () => ({
      status: httpStatus,
      body: problem(httpStatus, 'code', 'title', { detail: 'what happened', next: 'what to do' }),
    });
    const run = await anycastctl(['status']);
    expect(run.code).toBe(code);
    expect(run.talk.join('\n')).toMatch(/what happened[\s\S]*what to do/);
    expect(run.out).toEqual([]);
  });
  test('a seat that is gone or unwell is passed over, all gone ends with 9', async () => {
    route = () => ({ status: 200, body: status });
    expect((await anycastctl(['status'], { env: { ANYCAST_URL: `http://127.0.0.1:1,${url}` } })).code).toBe(0);
    route = () => ({ status: 503, body: problem(503, 'x', 'storage') });
    const run = await anycastctl(['status']);
    expect(run.code).toBe(9);
  });
  test('an answer of another version is an error that says so', async () => {
    route = () => ({ status: 200, body: { ...status, epoch: 'seven' } });
    const run = await anycastctl(['status']);
    expect(run.code).toBe(1);
    expect(run.talk.join('\n')).toContain('epoch');
  });
  test('unknown verbs, missing reasons and bad durations are usage', async () => {
    const quiet = process.stderr.write;
    process.stderr.write = (() => true) as typeof process.stderr.write;
    try {
      for (const argv of [
        ['frobnicate'],
        ['failover', 'orders'],
        ['hold', 'orders', '--reason', 'abc', '--for', 'soon'],
      ])
        expect((await anycastctl(argv)).code).toBe(2);
    } finally {
      process.stderr.write = quiet;
    }
  });
  test('--debug shows the curl line without the token', async () => {
    route = () => ({ status: 200, body: status });
    const run = await anycastctl(['status', '--debug']);
    expect(run.talk.join('\n')).toContain(
      "curl -X GET -H 'accept: application/json' -H 'authorization: Bearer $TOKEN'",
    );
    expect(run.talk.join('\n')).not.toContain('t0ken');
  });
});

describe('contexts', () => {
  const write = (text: string) => {
    const file = join(directory, 'config.yaml');
    writeFileSync(file, text);
    return { ANYCAST_CONFIG: file };
  };
  test('the file names deployments, the flag chooses one', async () => {
    route = () => ({ status: 200, body: status });
    const env = write(`contexts: { prod: { seats: ["${url}"] } }`);
    const run = await anycastctl(['--context', 'prod', 'status'], {
      interactive: true,
      env: { ...env, ANYCAST_URL: undefined as never },
    });
    expect(run.out[0]).toContain('(context prod)');
  });
  test('an unknown name or a wrong file is usage, with what is known or wrong', async () => {
    const unknown = await anycastctl(['--context', 'nope', 'status'], { env: write('contexts: {}') });
    expect([unknown.code, unknown.talk.join()]).toEqual([2, expect.stringContaining('lab')]);
    const wrong = await anycastctl(['status'], { env: write('contexts: { prod: { seats: [ftp://x] } }') });
    expect([wrong.code, wrong.talk.join()]).toEqual([2, expect.stringContaining('contexts.prod.seats[0]')]);
  });
});

describe('validate', () => {
  test('accepts the example', async () => {
    expect((await anycastctl(['validate', 'infra/examples/contoso.yaml'])).code).toBe(0);
  });
  test('lists every problem with its path and ends with 2', async () => {
    const file = join(directory, 'bad.yaml');
    writeFileSync(file, 'version: 2\nname: x\n');
    const run = await anycastctl(['validate', file]);
    expect(run.code).toBe(2);
    expect(run.out.join('\n')).toMatch(/version: .*\n[\s\S]*regions: /);
    const json = JSON.parse((await anycastctl(['validate', file, '--json'])).out.join('')) as {
      ok: boolean;
      errors: unknown[];
    };
    expect(json.ok).toBe(false);
    expect(json.errors.length).toBeGreaterThan(3);
  });
  test('a file that is not there is usage', async () => {
    expect((await anycastctl(['validate', join(directory, 'nosuch.yaml')])).code).toBe(2);
  });
});
