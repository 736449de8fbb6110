// Order keys are changed in three steps, each refused before its time; what is left after a deployment was taken away.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { runDown } from '../../../infra/azure/hooks/down.ts';
import { type KeyStep, runKeys } from '../../../infra/azure/hooks/keys.ts';
import { type Place, runDeployed, runPrepare } from '../../../infra/azure/hooks/verbs.ts';
import { parseTopology } from '../../../shared/topology.ts';
import { createFakeAzure, type FakeAzure } from '../../support/fake-azure.ts';

const NVAS = ['we-nva-1', 'ne-nva-1'];
const SEATS = ['seat-we', 'seat-ne'];
let folder = '';
let azure: FakeAzure;
let place: Place;
let said: string[];

const file = (name: string) => join(folder, '.azure/test/anycast', name);
const textNow = () => readFileSync(join(folder, 'anycast.yaml'), 'utf8');
function pinnedKids(): string[][] {
  const parsed = parseTopology(textNow());
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value.topology.seats.map((seat) => seat.orderKeys.map(({ kid }) => kid));
}
/** What `grep kid` on the machine prints. */
const machine = (kids: readonly string[]) => ({
  value: [{ message: `Enable succeeded: \n[stdout]\n${kids.map((kid) => `kid: ${kid}`).join('\n')}\n[stderr]\n` }],
});
const nvaCommand = (nva: string) =>
  `vm run-command invoke -g rg-contoso-${nva.startsWith('we') ? 'westeurope' : 'northeurope'} -n ${nva}`;
async function keys(step: KeyStep): Promise<{ status: number; said: string }> {
  said.length = 0;
  return { status: await runKeys(place, step), said: said.join('\n') };
}
/** Keys are named by the minute they were made in: these were made long ago. */
function age(): void {
  for (const seat of SEATS) {
    const path = file(`order-key-${seat}.json`);
    const { kid } = JSON.parse(readFileSync(path, 'utf8')) as { kid: string };
    for (const one of [path, join(folder, 'anycast.yaml')])
      writeFileSync(one, readFileSync(one, 'utf8').replaceAll(kid, `${seat}-2020-01-01-00-00`));
  }
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anycast-keys-'));
  azure = createFakeAzure({});
  said = [];
  const say = (text: string) => void said.push(text);
  place = { folder, environment: { AZURE_ENV_NAME: 'test' }, az: azure.az, azd: azure.azd, say };
  writeFileSync(join(folder, 'anycast.yaml'), readFileSync('anycast.yaml', 'utf8'));
  await runPrepare(place);
  age();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const OLD = SEATS.map((seat) => `${seat}-2020-01-01-00-00`);

describe('order keys', () => {
  test('a machine that pins a key whose name only begins like the new one does not pin the new one', async () => {
    await keys('pin');
    const longer = pinnedKids().flatMap((kids) => kids.map((kid) => `${kid}-b`));
    azure.answers = Object.fromEntries(NVAS.map((nva) => [nvaCommand(nva), machine([...OLD, ...longer])]));
    const refused = await keys('sign');
    expect(refused.status).toBe(7);
    for (const nva of NVAS) expect(refused.said).toContain(`${nva} does not pin`);
  });
  test('are pinned, signed with and retired in turn; prepare sends the vaults what is signed with', async () => {
    expect((await keys('pin')).status).toBe(0);
    const [we = [], ne = []] = pinnedKids();
    expect([we[0], ne[0]]).toEqual(OLD);
    const fresh = [we[1] ?? '', ne[1] ?? ''];
    await runPrepare(place);
    expect(pinnedKids()).toEqual([we, ne]);
    const secretsSent = () =>
      azure.calls
        .filter((call) => call.includes('ANYCAST_SECRETS'))
        .at(-1)
        ?.at(-1) ?? '';
    expect(secretsSent()).toContain(OLD[0]);
    expect(secretsSent()).not.toContain(fresh[0]);

    azure.answers = Object.fromEntries(NVAS.map((nva) => [nvaCommand(nva), machine([...OLD, ...fresh])]));
    expect(await keys('sign')).toMatchObject({ status: 0 });
    expect(pinnedKids()).toEqual([
      [fresh[0], OLD[0]],
      [fresh[1], OLD[1]],
    ]);
    await runPrepare(place);
    expect(secretsSent()).toContain(fresh[0]);
    expect(secretsSent()).not.toContain(OLD[0]);
    expect(pinnedKids()[0]).toHaveLength(2);

    const early = await keys('retire');
    expect(early.status).toBe(7);
    expect(early.said).toContain(`seat-we was last deployed with an unknown key, not ${fresh[0]}: azd up comes first`);
    expect(pinnedKids()[0]).toHaveLength(2);
    await runDeployed(place);
    expect((await keys('retire')).status).toBe(0);
    expect(pinnedKids()).toEqual([[fresh[0]], [fresh[1]]]);
  });

  test('are not signed with while an NVA does not pin them, or cannot be asked', async () => {
    expect(await keys('sign')).toMatchObject({ status: 7, said: expect.stringContaining('keys pin comes first') });
    await keys('pin');
    const text = textNow();
    const kids = pinnedKids().flat();
    azure.answers = {
      [nvaCommand('we-nva-1')]: machine(OLD),
      [nvaCommand('ne-nva-1')]: { error: 'VM is not running' },
    };
    const refused = await keys('sign');
    expect(refused.status).toBe(7);
    for (const kid of kids.filter((one) => !OLD.includes(one))) expect(refused.said).toContain(kid);
    expect(refused.said).toContain('we-nva-1 does not pin');
    expect(refused.said).toContain('ne-nva-1: cannot be asked what it has pinned: VM is not running');
    expect(textNow()).toBe(text);
    expect(JSON.parse(readFileSync(file('order-key-seat-we.json'), 'utf8')).kid).toBe(OLD[0]);
  });

  test('pinning again keeps the key that waits, and nothing is retired before it is signed with', async () => {
    await keys('pin');
    const kids = pinnedKids();
    expect((await keys('pin')).status).toBe(0);
    expect(pinnedKids()).toEqual(kids);
    await runDeployed(place);
    const refused = await keys('retire');
    expect(refused.status).toBe(7);
    expect(refused.said).toContain('seat-ne: a new key waits to be signed with: keys sign comes first');
    expect(pinnedKids()).toEqual(kids);
  });

  test('cannot be changed from a machine without the private keys', async () => {
    rmSync(join(folder, '.azure'), { recursive: true });
    await expect(keys('pin')).rejects.toThrow('the private keys of this deployment are not in');
    expect(await runDeployed(place)).toBe(0);
  });
});

describe('after azd down', () => {
  const vault = (deployment: string) => ({
    name: `kv-${deployment}`,
    properties: { scheduledPurgeDate: '2027-02-20T00:00:00Z', tags: { 'anycast-deployment': deployment } },
  });
  const left = {
    'group exists': false,
    'keyvault list-deleted': [vault('contoso'), vault('other')],
    'role definition list': [
      { roleName: 'Anycast Route Reader (contoso)' },
      { roleName: 'Anycast Operation Reader (contoso)' },
      { roleName: 'Anycast Route Reader (other)' },
    ],
  };
  const down = async (remove: boolean) => {
    said.length = 0;
    azure.calls.length = 0;
    return { status: await runDown(place, remove), said: said.join('\n') };
  };
  const changes = () =>
    azure.calls.map((call) => call.join(' ')).filter((line) => /\b(delete|create|patch|post|put)\b/.test(line));

  test('what is left is said, with the way to be rid of it; nothing of another deployment, and nothing is changed', async () => {
    azure.answers = left;
    const run = await down(false);
    expect(run.status).toBe(0);
    expect(run.said).toContain('vault kv-contoso: soft-deleted, protected from purge until 2027-02-20');
    expect(run.said).toContain('az keyvault recover --name kv-contoso');
    expect(run.said).toContain(
      'app registration anycast-failover contoso (11111111-2222-3333-4444-555555555555) is left',
    );
    expect(run.said).toContain('custom role Anycast Operation Reader (contoso) is left');
    expect(run.said).toContain('down --remove');
    expect(run.said).not.toContain('other');
    expect(changes()).toEqual([]);
  });

  test('--remove deletes registration and roles of this deployment, once its groups are gone', async () => {
    azure.answers = { ...left, 'group exists': true };
    const early = await down(true);
    expect(early).toEqual({
      status: 7,
      said: 'ERROR rg-contoso is still there: azd down comes first; nothing was removed',
    });
    expect(changes()).toEqual([]);
    azure.answers = left;
    const run = await down(true);
    expect(run.status).toBe(0);
    expect(changes().join('\n')).toMatch(/--method delete --url \S+\/applications\/object-1\b/);
    expect(changes().filter((line) => line.includes('role definition delete'))).toEqual([
      'az role definition delete --name Anycast Route Reader (contoso)',
      'az role definition delete --name Anycast Operation Reader (contoso)',
    ]);
  });

  test('not knowing whether the groups are gone removes nothing', async () => {
    azure.answers = { ...left, 'group exists': { error: 'no network' } };
    await expect(down(true)).rejects.toThrow('no network');
    expect(changes()).toEqual([]);
  });
});
