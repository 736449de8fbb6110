// What an NVA runs to install and configure itself: setup.sh for real, with Azure and the system behind stand-ins on PATH.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { describeWith } from '../../support/needs.ts';

let folder = '';
const at = (...parts: string[]) => join(folder, ...parts);
const packageText = 'a package';
const sum = (text: string) => createHash('sha256').update(text).digest('hex');
const PEM =
  '-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nQg==\n-----END PRIVATE KEY-----\n';

/** The last word of the address is the file that answers; tokens and secrets come as JSON. */
const CURL = `#!/bin/sh
for word in "$@"; do
  [ "$previous" = -o ] && target=$word
  case "$word" in http*) url=$word ;; esac
  previous=$word
done
case "$url" in
  *metadata*) source=$SERVED/token.json ;;
  *secrets/*) source=$SERVED/secret.json ;;
  *) source=$SERVED/\${url#https://store/packages/} ;;
esac
[ -f "$source" ] || exit 22
if [ -n "$target" ]; then cp "$source" "$target"; else cat "$source"; fi
`;
const programs: Readonly<Record<string, string>> = {
  curl: CURL,
  dpkg: '#!/bin/sh\necho "dpkg $1" >>"$CALLS"\n',
  systemctl: '#!/bin/sh\necho "systemctl $*" >>"$CALLS"\n[ "$1" = is-active ] && exit "$IS_ACTIVE"\nexit 0\n',
  install: '#!/bin/sh\nfor word in "$@"; do from=$to; to=$word; done\ncp "$from" "$to"\n',
  'anycast-agent': '#!/bin/sh\ngrep -q broken "$(dirname "$3")/anycast.yaml" && exit 2\nexit 0\n',
};

function serve(name: string, text: string): void {
  mkdirSync(join(at('served', name), '..'), { recursive: true });
  writeFileSync(at('served', name), text);
}

function run(environment: Record<string, string> = {}) {
  writeFileSync(at('calls'), '');
  const done = spawnSync('sh', [resolve('infra/azure/nva/setup.sh')], {
    encoding: 'utf8',
    env: {
      PATH: `${at('bin')}:${process.env.PATH}`,
      SERVED: at('served'),
      CALLS: at('calls'),
      ANYCAST_SETUP_ENV: at('env'),
      ANYCAST_SETUP_ETC: at('etc'),
      // systemctl is-active: 0 running, 3 not.
      IS_ACTIVE: '3',
      ...environment,
    },
  });
  return { status: done.status, output: done.stdout + done.stderr, calls: readFileSync(at('calls'), 'utf8') };
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anycast-setup-'));
  for (const name of ['bin', 'etc', 'served']) mkdirSync(at(name));
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(at('bin', name), text);
    chmodSync(at('bin', name), 0o755);
  }
  writeFileSync(at('env'), 'NVA=we-nva-1\nPACKAGES=https://store/packages\nVAULT=https://vault/\nCLIENT_ID=id\n');
  serve('token.json', '{"access_token":"t"}');
  serve('secret.json', JSON.stringify({ value: PEM }));
  serve('anycast.yaml', 'version: 1\n');
  serve('we-nva-1/agent.yaml', `tls: { cert: ${at('etc')}/agent.crt }\n`);
  serve('anycast-agent.deb', packageText);
  serve('anycast-agent.deb.sha256', `${sum(packageText)}\n`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describeWith({ programs: ['python3', 'sha256sum'] }, 'anycast-setup', () => {
  test('installs the package, splits the secret, starts the agent', () => {
    const { status, output, calls } = run();
    expect(output).toContain('started');
    expect(status).toBe(0);
    expect(calls).toContain('dpkg -i');
    expect(readFileSync(at('etc/agent.crt'), 'utf8')).toBe(`${PEM.slice(0, PEM.indexOf('-----BEGIN PRIVATE'))}`);
    expect(readFileSync(at('etc/agent.key'), 'utf8')).toContain('PRIVATE KEY');
    expect(existsSync(at('etc/agent.pem'))).toBe(false);
  });

  test('run again with nothing new it changes nothing and restarts nothing', () => {
    run();
    const { output, calls } = run({ IS_ACTIVE: '0' });
    expect(output).toContain('nothing to change');
    expect(calls).not.toMatch(/dpkg|restart|reload/);
  });

  test('a new topology reloads the agent; its sessions stay', () => {
    run();
    serve('anycast.yaml', 'version: 1\nname: other\n');
    expect(run({ IS_ACTIVE: '0' }).calls).toMatch(/systemctl reload/);
  });

  test('a configuration with a problem is not put in place', () => {
    run();
    serve('anycast.yaml', 'broken\n');
    const { status, output, calls } = run({ IS_ACTIVE: '0' });
    expect(status).toBe(1);
    expect(output).toContain('the old one stays');
    expect(calls).not.toMatch(/reload|restart/);
    expect(readFileSync(at('etc/anycast.yaml'), 'utf8')).toBe('version: 1\n');
  });

  test('a package that is not the one named is not installed', () => {
    serve('anycast-agent.deb', 'another');
    const { status, output, calls } = run();
    expect(status).toBe(1);
    expect(output).toContain('nothing was changed');
    expect(calls).toBe('');
  });

  test('a secret without a key is refused, and so is a store that does not answer', () => {
    serve('secret.json', JSON.stringify({ value: 'nonsense' }));
    expect(run().output).toContain('no certificate with its key');
    rmSync(at('served/anycast-agent.deb.sha256'));
    expect(run().status).not.toBe(0);
  });
});
