// What the hooks of a deployment do: look before it, prepare it, finish it. Each may run again.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatFindings } from '../../../shared/result.ts';
import { parseTopology } from '../../../shared/topology.ts';
import type { Topology } from '../../../shared/topology-schema.ts';
import { type Az, answerOf, objectOf } from './az.ts';
import { register } from './entra.ts';
import { comparePeers, findPackage, giveRoles, publishRunbooks, readOutputs, uploadPackages } from './finish.ts';
import { pin } from './pin.ts';
import { findingText, preflight } from './preflight.ts';
import { isOurKid, makeSecrets, rememberDeployed } from './secrets.ts';

const TOPOLOGY = 'anycast.yaml';
export const EXIT = { ok: 0, failed: 1, usage: 2, findings: 7 } as const;

/** Where a verb runs. */
export interface Place {
  /** Folder of anycast.yaml, of the azd environment and of what was built. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly az: Az;
  readonly azd: Az;
  readonly say: (text: string) => void;
}

export function loadTopology(place: Place): Topology & { azure: NonNullable<Topology['azure']> } {
  const loaded = parseTopology(readFileSync(fileOf(place), 'utf8'));
  if (!loaded.ok) throw new Error(`${TOPOLOGY} is wrong:\n${formatFindings(loaded.error)}`);
  const { topology } = loaded.value;
  if (topology.azure === undefined) throw new Error(`${TOPOLOGY} has no azure section (docs/deploy.md)`);
  return { ...topology, azure: topology.azure };
}

/** Private halves lie in the folder of the azd environment, which git ignores. */
export const folderOf = (place: Place, name: string): string =>
  join(place.folder, '.azure', place.environment.AZURE_ENV_NAME ?? name, 'anycast');
export const fileOf = (place: Place): string => join(place.folder, TOPOLOGY);

/** Prints every finding; nothing when all is well. */
export async function runPreflight(place: Place): Promise<number> {
  const { az, say } = place;
  const topology = loadTopology(place);
  const assignsRoles = place.environment.ANYCAST_ASSIGN_ROLES !== 'false';
  const found = await preflight({ az, topology, azure: topology.azure, assignsRoles });
  for (const finding of found) say(findingText(finding));
  const errors = found.filter((finding) => finding.severity === 'error').length;
  if (errors > 0) say(`${errors} findings; nothing was changed.`);
  return errors > 0 ? EXIT.findings : EXIT.ok;
}

/** Its order keys are ones that a run like this one has made. */
const wasDeployed = (topology: Topology): boolean =>
  topology.seats.some((seat) => seat.orderKeys.some((key) => isOurKid(seat.name, key.kid)));

/** Registers, makes keys, pins their public halves. */
export async function runPrepare(place: Place): Promise<number> {
  const { az, azd, say } = place;
  const topology = loadTopology(place);
  const folder = folderOf(place, topology.name);
  const registration = await register(
    az,
    topology.name,
    topology.seats.map((seat) => seat.url),
  );
  const isElsewhere = wasDeployed(topology) && !existsSync(join(folder, 'agent-ca.key'));
  if (isElsewhere) say(`the private keys of this deployment are not in ${folder}: the vaults keep theirs`);
  const { secrets, orderKeys } = isElsewhere
    ? { secrets: {}, orderKeys: {} }
    : await makeSecrets(topology, folder, Date.now());
  const text = readFileSync(fileOf(place), 'utf8');
  const pinned = pin(text, { audience: registration.audience, orderKeys });
  if (pinned !== text) {
    writeFileSync(fileOf(place), pinned);
    say(`${TOPOLOGY}: audience ${registration.audience} and public order keys are pinned; commit it`);
  }
  const values = Object.fromEntries(Object.entries(secrets).map(([name, { value }]) => [name, value]));
  const expiries = Object.fromEntries(
    Object.entries(secrets).map(([name, { expiresAtMs }]) => [name, Math.floor(expiresAtMs / 1000)]),
  );
  answerOf(await azd('env', 'set', 'ANYCAST_SECRETS', JSON.stringify(values)), 'azd env');
  answerOf(await azd('env', 'set', 'ANYCAST_SECRET_EXPIRIES', JSON.stringify(expiries)), 'azd env');
  say('Creating Route Servers and gateways takes tens of minutes each; everything else a few.');
  return EXIT.ok;
}

/** The newest package, built now when there is none. */
function packageIn({ folder }: Place): string {
  const found = findPackage(join(folder, 'dist/agent'));
  if (found !== undefined) return found;
  execFileSync('npm', ['run', '-s', 'build:agent', '--', '--arch', 'x64'], { cwd: folder, stdio: 'inherit' });
  const built = findPackage(join(folder, 'dist/agent'));
  if (built === undefined) throw new Error('npm run build:agent left no package in dist/agent');
  return built;
}

/** After the seats were deployed: remembers which keys they were started with. */
export async function runDeployed(place: Place): Promise<number> {
  const topology = loadTopology(place);
  const folder = folderOf(place, topology.name);
  if (existsSync(join(folder, 'agent-ca.key'))) rememberDeployed(topology, folder);
  return EXIT.ok;
}

/** Gives roles, uploads packages, publishes runbooks. */
export async function runFinish(place: Place): Promise<number> {
  const { az, azd, say } = place;
  const topology = loadTopology(place);
  const outputs = readOutputs(place.environment);
  // The vaults have them now.
  await azd('env', 'set', 'ANYCAST_SECRETS', '{}');
  await azd('env', 'set', 'ANYCAST_SECRET_EXPIRIES', '{}');
  const wrong = comparePeers(topology, outputs);
  for (const line of wrong) say(`ERROR ${line}`);
  const registration = await register(
    az,
    topology.name,
    topology.seats.map((seat) => seat.url),
  );
  const person = String(objectOf(await az('ad', 'signed-in-user', 'show')).id ?? '');
  for (const given of await giveRoles(az, registration, outputs, person)) say(`given: ${given}`);
  const text = readFileSync(fileOf(place), 'utf8');
  const principals = Object.fromEntries(outputs.nvas.map(({ name, principalId }) => [name, principalId]));
  const pinned = pin(text, { principals });
  if (pinned !== text) writeFileSync(fileOf(place), pinned);
  const deb = packageIn(place);
  await uploadPackages(az, topology, outputs, {
    topology: fileOf(place),
    deb,
    work: join(folderOf(place, topology.name), 'upload'),
  });
  const { id: subscription } = objectOf(await az('account', 'show'));
  const books = await publishRunbooks(az, String(subscription), outputs);
  say(`packages uploaded to ${outputs.packages.length} regions, ${books.length} runbooks published`);
  const [seat] = topology.seats;
  say(`next, once azd has deployed the seats:
  npm run -s anycastctl -- status --url ${seat?.url} --audience ${seat?.audience}
  npm run -s anycastctl -- doctor --url ${seat?.url} --audience ${seat?.audience}
  ${seat?.url}/api/dashboard`);
  return wrong.length > 0 ? EXIT.findings : EXIT.ok;
}
