// Probes in a process that has run out of descriptors.
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';

/** A process of its own, because it uses up every descriptor it may have. */
const SCRIPT = `
  import { openSync } from 'node:fs';
  import { createServer } from 'node:http';
  import { runProbe } from './nva-agent/probes/probe.ts';
  const server = createServer((_q, r) => r.end('ok')).listen(0, '127.0.0.1', async () => {
    const url = 'http://127.0.0.1:' + server.address().port + '/';
    const http = { type: 'http', url, expectStatus: [200], headers: {}, verifyTls: true };
    const before = await runProbe(http, 2000);
    try { for (;;) openSync('/dev/null', 'r'); } catch {}
    const outcomes = [before, await runProbe(http, 2000), await runProbe({ type: 'tcp', target: url.slice(7, -1) }, 2000)];
    process.stdout.write(JSON.stringify(outcomes.map((o) => [o.type, o.detail ?? ''])));
    process.exit(0);
  });
`;

describe('out of descriptors', () => {
  test('a probe tells nothing, so nothing falls because we ran dry', () => {
    const node = `${process.cwd()}/node_modules/.bin/node`;
    const command = `ulimit -n 64; exec ${node} --disable-warning=ExperimentalWarning --input-type=module -e "$SCRIPT"`;
    const out = execFileSync('/bin/bash', ['-c', command], { env: { ...process.env, SCRIPT }, encoding: 'utf8' });
    expect(JSON.parse(out)).toEqual([
      ['pass', ''],
      ['unknown', expect.stringContaining('EMFILE')],
      ['unknown', expect.stringContaining('EMFILE')],
    ]);
  });
});
