// Changes the keys that sign orders, one safe step at a time: pinned everywhere, then signed with, then the old one retired.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Topology } from '../../../shared/topology-schema.ts';
import { answerOf } from './az.ts';
import { pinKeys } from './pin.ts';
import { adoptNextKey, deployedKids, makeNextKey, type OrderKey, readKey } from './secrets.ts';
import { EXIT, fileOf, folderOf, loadTopology, type Place } from './verbs.ts';

export const KEY_STEPS = ['pin', 'sign', 'retire'] as const;
export type KeyStep = (typeof KEY_STEPS)[number];

/** Does one step, or refuses it with everything that stands against it. Throws when the private keys are elsewhere. */
export async function runKeys(place: Place, step: KeyStep): Promise<number> {
  const topology = loadTopology(place);
  const folder = folderOf(place, topology.name);
  const current = topology.seats.map((seat) => readKey(folder, seat.name));
  if (current.some((key) => key === undefined))
    throw new Error(`the private keys of this deployment are not in ${folder}: prepare makes them, or copy them there`);
  const problems = await { pin: pinNext, sign: signWithNext, retire: retireOld }[step](place, topology, folder);
  for (const problem of problems) place.say(`ERROR ${problem}`);
  return problems.length > 0 ? EXIT.findings : EXIT.ok;
}

type Step = (place: Place, topology: Topology, folder: string) => Promise<readonly string[]>;

const pinNext: Step = async (place, topology, folder) => {
  const keys = new Map<string, readonly OrderKey[]>();
  for (const { name } of topology.seats) {
    const next = readKey(folder, name, 'next') ?? (await makeNextKey(folder, name, Date.now()));
    keys.set(name, [keyOf(folder, name), next]);
  }
  rewrite(place, keys);
  place.say('The new keys are pinned beside those in use. Next: azd up, anycast-setup on every NVA, then: keys sign');
  return [];
};

const signWithNext: Step = async (place, topology, folder) => {
  const next = topology.seats.flatMap(({ name }) => readKey(folder, name, 'next') ?? []);
  if (next.length < topology.seats.length) return ['no new key is pinned yet: keys pin comes first'];
  const problems: string[] = [];
  for (const region of topology.regions) {
    for (const nva of region.nvas) problems.push(...(await unpinnedAt(place, topology, region.name, nva.name, next)));
  }
  if (problems.length > 0) return [...problems, 'nothing was changed: orders signed with a new key would be refused'];
  const keys = new Map<string, readonly OrderKey[]>();
  for (const { name } of topology.seats) {
    const old = keyOf(folder, name);
    keys.set(name, [adoptNextKey(folder, name), old]);
  }
  rewrite(place, keys);
  place.say('Every NVA knows the new keys. Next: azd up, which makes the seats sign with them, then: keys retire');
  return [];
};

const retireOld: Step = async (place, topology, folder) => {
  const deployed = deployedKids(folder);
  const problems = topology.seats.flatMap(({ name, orderKeys }) => {
    if (readKey(folder, name, 'next') !== undefined)
      return [`${name}: a new key waits to be signed with: keys sign comes first`];
    const { kid } = keyOf(folder, name);
    return orderKeys.length < 2 || deployed[name] === kid
      ? []
      : [`${name} was last deployed with ${deployed[name] ?? 'an unknown key'}, not ${kid}: azd up comes first`];
  });
  if (problems.length > 0) return [...problems, 'nothing was changed: a key that is in use would be taken away'];
  rewrite(place, new Map(topology.seats.map(({ name }) => [name, [keyOf(folder, name)]])));
  place.say('The old keys are out of anycast.yaml. Next: azd up, and anycast-setup on every NVA');
  return [];
};

function keyOf(folder: string, seat: string): OrderKey {
  const key = readKey(folder, seat);
  if (key === undefined) throw new Error(`no order key of ${seat}`);
  return key;
}

function rewrite(place: Place, keys: ReadonlyMap<string, readonly OrderKey[]>): void {
  const text = readFileSync(fileOf(place), 'utf8');
  const pinned = pinKeys(text, keys);
  if (pinned !== text) writeFileSync(fileOf(place), pinned);
}

/** What the machine itself has, not what was uploaded for it. Unknown is not pinned. */
async function unpinnedAt(
  place: Place,
  topology: Topology,
  region: string,
  nva: string,
  keys: readonly OrderKey[],
): Promise<string[]> {
  const group = groupOf(topology, region);
  const script = "grep -o 'kid: *[^ ,}]*' /etc/anycast-agent/anycast.yaml";
  const vm = ['-g', group, '-n', nva, '--command-id', 'RunShellScript', '--scripts', script];
  const answer = await place.az('vm', 'run-command', 'invoke', ...vm);
  if (!answer.ok) return [`${nva}: cannot be asked what it has pinned: ${answer.detail}`];
  const said = JSON.stringify(answerOf(answer, nva));
  // Whole words: one kid may begin like another.
  const pinned = new Set([...said.matchAll(/kid: *[\\"']*([\w.-]+)/g)].map(([, kid]) => kid));
  const missing = keys.filter(({ kid }) => !pinned.has(kid)).map(({ kid }) => kid);
  return missing.length === 0 ? [] : [`${nva} does not pin ${missing.join(', ')}: run anycast-setup there`];
}

/** As infra/azure/main.bicep names it: that of a Route Server which is created, else of the region. */
function groupOf(topology: Topology, region: string): string {
  const place = topology.azure?.regions.find((entry) => entry.name === region);
  const id = topology.regions.find((entry) => entry.name === region)?.routeServer.resourceId ?? '';
  return place?.routeServer === 'create' ? (id.split('/')[4] ?? '') : `rg-${topology.name}-${region}`;
}
