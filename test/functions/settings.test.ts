// Settings: all of what is wrong is said at once, and no secret is repeated.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { readSettings } from '../../functions/settings.ts';
import { contoso } from '../support/topology.ts';

const directory = mkdtempSync(join(tmpdir(), 'settings-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const privateJwk = { ...pair.privateKey.export({ format: 'jwk' }), kid: 'k1' };
const topology = contoso();
topology.seats[0].orderKeys = [{ kid: 'k1', jwk: pair.publicKey.export({ format: 'jwk' }) }];
const path = join(directory, 'anycast.yaml');
writeFileSync(path, JSON.stringify(topology));

const good = {
  ANYCAST_TOPOLOGY: path,
  ANYCAST_SEAT: 'seat-we',
  ANYCAST_ORDER_KEY: JSON.stringify(privateJwk),
  ANYCAST_AGENT_CA: '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----',
  ENTRA_ISSUER: 'https://login.microsoftonline.com/t/v2.0',
  ENTRA_JWKS_URI: 'https://login.microsoftonline.com/t/discovery/v2.0/keys',
};

/** `path: code` of everything that was found. */
const findings = (environment: Record<string, string | undefined>): string[] => {
  const settings = readSettings({ ...good, ...environment });
  return settings.ok ? [] : settings.error.map((finding) => `${finding.path}: ${finding.code}`);
};

test('a good set is read; what is optional may be empty', () => {
  const settings = readSettings({ ...good, LOGS_ENDPOINT: '', ANYCAST_STORAGE: '' });
  if (!settings.ok) throw new Error(JSON.stringify(settings.error));
  expect(settings.value).toMatchObject({ seat: { name: 'seat-we' }, storage: undefined, logs: undefined });
});

test('everything that is missing is named', () => {
  const settings = readSettings({});
  expect(settings.ok ? [] : settings.error.map((finding) => finding.path)).toEqual([
    'ANYCAST_TOPOLOGY',
    'ANYCAST_SEAT',
    'ANYCAST_ORDER_KEY',
    'ANYCAST_AGENT_CA',
    'ENTRA_ISSUER',
    'ENTRA_JWKS_URI',
  ]);
});

test.each([
  ['a seat the topology does not have', { ANYCAST_SEAT: 'seat-mars' }, ['ANYCAST_SEAT: unknown-seat']],
  ['a topology that is not there', { ANYCAST_TOPOLOGY: '/nowhere' }, ['ANYCAST_TOPOLOGY: not-found']],
  ['a key that is no JSON', { ANYCAST_ORDER_KEY: 'secret' }, ['ANYCAST_ORDER_KEY: not-json']],
  ['a public key', { ANYCAST_ORDER_KEY: JSON.stringify({ ...privateJwk, d: '' }) }, ['ANYCAST_ORDER_KEY: malformed']],
  [
    'a key agents do not pin',
    { ANYCAST_ORDER_KEY: JSON.stringify({ ...privateJwk, kid: 'k2' }) },
    ['ANYCAST_ORDER_KEY: unpinned-key'],
  ],
  [
    'another key by the same name',
    { ANYCAST_ORDER_KEY: JSON.stringify({ ...privateJwk, x: 'other' }) },
    ['ANYCAST_ORDER_KEY: other-key'],
  ],
  [
    'half of the ingestion settings',
    { LOGS_ENDPOINT: 'https://x.ingest.monitor.azure.com' },
    ['LOGS_RULE_ID: incomplete'],
  ],
  [
    'several at once',
    { ANYCAST_SEAT: 'nobody', ANYCAST_AGENT_CA: '/nowhere' },
    ['ANYCAST_AGENT_CA: not-found', 'ANYCAST_SEAT: unknown-seat'],
  ],
])('%s', (_what, environment, expected) => {
  expect(findings(environment)).toEqual(expected);
});

test('no secret is repeated', () => {
  const settings = readSettings({
    ...good,
    ANYCAST_ORDER_KEY: JSON.stringify({ ...privateJwk, kid: 'k9' }),
    ANYCAST_SEAT: 'x',
  });
  expect(JSON.stringify(settings)).not.toContain(String(privateJwk.d));
});
