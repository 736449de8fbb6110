// After `azd down`: what is left of a deployment, said with the way to be rid of it, and taken away where that is asked for.
import { answerOf, listOf, objectOf } from './az.ts';
import { applicationOf, removeApplication } from './entra.ts';
import { EXIT, loadTopology, type Place } from './verbs.ts';

/** Names of the custom roles begin so (infra/azure/roles.json). */
const ROLE_PREFIX = 'Anycast ';

/** Says what stays; with `remove` deletes the app registration and the custom roles. Vaults are never purged. */
export async function runDown(place: Place, remove: boolean): Promise<number> {
  const { az, say } = place;
  const topology = loadTopology(place);
  if (remove) {
    // Without its registration nobody reports to seats that still run. Not knowing is not gone.
    const group = `rg-${topology.name}`;
    if (answerOf(await az('group', 'exists', '--name', group), `resource group ${group}`) !== false) {
      say(`ERROR ${group} is still there: azd down comes first; nothing was removed`);
      return EXIT.findings;
    }
  }
  const deleted = listOf(await az('keyvault', 'list-deleted', '--resource-type', 'vault'));
  for (const vault of deleted) {
    const properties = objectOf({ ok: true, value: vault.properties }) as {
      tags?: Record<string, string>;
      scheduledPurgeDate?: string;
    };
    if (properties.tags?.['anycast-deployment'] !== topology.name) continue;
    const until = properties.scheduledPurgeDate?.slice(0, 10) ?? 'its retention ends';
    say(
      `vault ${String(vault.name)}: soft-deleted, protected from purge until ${until}; a new deployment recovers it:`,
    );
    say(`  az keyvault recover --name ${String(vault.name)}`);
  }
  const application = await applicationOf(az, topology.name);
  if (application !== undefined && remove) {
    await removeApplication(az, application.id);
    say(`app registration anycast-failover ${topology.name}: removed; nobody can sign in to its seats any more`);
  } else if (application !== undefined) {
    say(`app registration anycast-failover ${topology.name} (${application.appId}) is left`);
  }
  const roles = listOf(await az('role', 'definition', 'list', '--custom-role-only', 'true'));
  const names = roles.map((role) => String(role.roleName)).filter((name) => isOurs(name, topology.name));
  for (const name of names) {
    if (remove) answerOf(await az('role', 'definition', 'delete', '--name', name), `role ${name}`);
    say(`custom role ${name}${remove ? ': removed' : ' is left'}`);
  }
  if (!remove && (application !== undefined || names.length > 0))
    say('  npm run -s azure -- down --remove takes the registration and the roles away');
  say('Subnets, peerings and BGP connections on hubs that were there before are left as they are.');
  return EXIT.ok;
}

const isOurs = (role: string, deployment: string): boolean =>
  role.startsWith(ROLE_PREFIX) && role.endsWith(`(${deployment})`);
