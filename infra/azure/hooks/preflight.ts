// The look before a deployment: everything that would fail half-way, listed at once. Changes nothing.
import { existsSync, readFileSync } from 'node:fs';
import { parseYaml } from '../../../shared/yaml.ts';
import { listOf, objectOf } from './az.ts';
import { type Check, error, type Look, type PreflightFinding, warning } from './preflight-finding.ts';
import { checkMachines } from './preflight-machines.ts';
import { checkHubs, checkRouteServers } from './preflight-networks.ts';
import { checkPolicies } from './preflight-policies.ts';

const PROVIDERS = [
  'Microsoft.Web',
  'Microsoft.App',
  'Microsoft.Network',
  'Microsoft.Compute',
  'Microsoft.Storage',
  'Microsoft.KeyVault',
  'Microsoft.ManagedIdentity',
  'Microsoft.Insights',
  'Microsoft.OperationalInsights',
  'Microsoft.AlertsManagement',
  'Microsoft.PolicyInsights',
] as const;
const NODE_RUNTIME = '24';
const AZ_VERSION_MIN = [2, 64] as const;

const checkTools: Check = async ({ az }) => {
  const answer = await az('version');
  if (!answer.ok && answer.isMissing) {
    return [error('az-missing', 'the Azure CLI is not installed', 'https://aka.ms/azure-cli')];
  }
  const text = String(objectOf(answer)['azure-cli'] ?? '0.0');
  const [major = 0, minor = 0] = text.split('.').map(Number);
  const isOld = major < AZ_VERSION_MIN[0] || (major === AZ_VERSION_MIN[0] && minor < AZ_VERSION_MIN[1]);
  return isOld ? [error('az-old', `Azure CLI ${text}, ${AZ_VERSION_MIN.join('.')} is needed`, 'az upgrade')] : [];
};

const checkSignIn: Check = async ({ az, topology, azure }) => {
  const account = await az('account', 'show');
  if (!account.ok) return [error('not-signed-in', account.detail, 'az login && azd auth login')];
  const subscription = String(objectOf(account).id ?? '');
  const created = azure.regions.filter((entry) => entry.routeServer === 'create').map((entry) => entry.name);
  return topology.regions
    .filter((region) => created.includes(region.name))
    .filter((region) => !region.routeServer.resourceId.startsWith(`/subscriptions/${subscription}/`))
    .map((region) =>
      error(
        'other-subscription',
        `regions.${region.name}.routeServer.resourceId is not in the subscription ${subscription} that is signed in`,
        'write that subscription into anycast.yaml, or az account set --subscription ...',
      ),
    );
};

const checkProviders: Check = async ({ az, azure }) => {
  const wanted = [
    ...PROVIDERS,
    ...(azure.automation ? ['Microsoft.Automation'] : []),
    ...(azure.durableTaskScheduler ? ['Microsoft.DurableTask'] : []),
  ];
  const registered = new Map(
    listOf(await az('provider', 'list', '--query', '[].{name:namespace,state:registrationState}')).map((entry) => [
      String(entry.name).toLowerCase(),
      String(entry.state),
    ]),
  );
  return wanted
    .filter((name) => registered.get(name.toLowerCase()) !== 'Registered')
    .map((name) =>
      error('provider-not-registered', `${name} is not registered`, `az provider register -n ${name} --wait`),
    );
};

/** Owner, User Access Administrator and role-based access control administrators may write role assignments. */
const GRANTING_ROLES = ['Owner', 'User Access Administrator', 'Role Based Access Control Administrator'];

const checkRights: Check = async ({ az, assignsRoles }) => {
  if (!assignsRoles) return [];
  const me = objectOf(await az('ad', 'signed-in-user', 'show'));
  // A service principal cannot ask who it is; the deployment itself will tell.
  if (typeof me.id !== 'string') return [];
  const answer = await az('role', 'assignment', 'list', '--assignee', me.id, '--include-groups', '--include-inherited');
  if (!answer.ok) return [];
  const held = listOf(answer).map((entry) => String(entry.roleDefinitionName));
  if (held.some((role) => GRANTING_ROLES.includes(role))) return [];
  return [
    error(
      'cannot-assign-roles',
      `roles held: ${held.join(', ') || 'none'}; none of them may write role assignments`,
      'ask for Owner, or azd env set ANYCAST_ASSIGN_ROLES false and have the grants of docs/deploy.md given by others',
    ),
  ];
};

const checkRoleActions: Check = async ({ az }) => {
  const roles = JSON.parse(readFileSync('infra/azure/roles.json', 'utf8')) as Record<string, { actions?: string[] }>;
  const wanted = [roles.routeReader, roles.operationReader].flatMap((role) => role?.actions ?? []);
  const answer = await az('provider', 'operation', 'show', '--namespace', 'Microsoft.Network');
  if (!answer.ok) return [];
  const known = operationsIn(answer.value);
  return wanted
    .filter((action) => action.startsWith('Microsoft.Network/') && !known.has(action.toLowerCase()))
    .map((action) =>
      error(
        'unknown-action',
        `${action} is no operation of Microsoft.Network: the custom role would be refused`,
        'correct it in infra/azure/roles.json; az provider operation show --namespace Microsoft.Network lists them',
      ),
    );
};

/** Names of operations stand at two depths: the provider's own, and those of each resource type. */
function operationsIn(value: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  const { operations = [], resourceTypes = [] } = (value ?? {}) as {
    operations?: { name?: string }[];
    resourceTypes?: { operations?: { name?: string }[] }[];
  };
  for (const { name } of [...operations, ...resourceTypes.flatMap((type) => type.operations ?? [])]) {
    if (name !== undefined) names.add(name.toLowerCase());
  }
  return names;
}

const checkFlex: Check = async ({ az, topology }) => {
  const regions = [...new Set(topology.seats.map((seat) => seat.region))];
  const answer = await az('functionapp', 'list-flexconsumption-locations');
  const offered = listOf(answer).map((entry) => String(entry.name).toLowerCase().replaceAll(' ', ''));
  const found = answer.ok
    ? regions
        .filter((region) => !offered.includes(region))
        .map((region) => error('flex-unsupported', `Flex Consumption is not offered in ${region}`, 'move the seat'))
    : [];
  for (const region of regions) {
    const runtimes = await az(
      'functionapp',
      'list-flexconsumption-runtimes',
      '--location',
      region,
      '--runtime',
      'node',
    );
    const versions = listOf(runtimes).map((entry) => String(entry.version));
    if (runtimes.ok && !versions.some((version) => version.split('.')[0] === NODE_RUNTIME)) {
      found.push(error('runtime-unsupported', `${region} offers Node ${versions.join(', ')}`, 'move the seat'));
    }
  }
  return found;
};

const checkNames: Check = async ({ az, topology }) => {
  const found: PreflightFinding[] = [];
  const account = new URL(topology.witness.account).hostname.split('.')[0] ?? '';
  const check = objectOf(await az('storage', 'account', 'check-name', '--name', account));
  const own = listOf(await az('storage', 'account', 'list', '--query', `[?name=='${account}']`));
  if (check.nameAvailable === false && own.length === 0) {
    found.push(
      error('name-taken', `the storage account ${account} belongs to somebody else`, 'choose another witness.account'),
    );
  }
  const deleted = listOf(await az('keyvault', 'list-deleted', '--resource-type', 'vault'));
  const ours = deleted.filter(
    (one) =>
      (one.properties as { tags?: Record<string, string> } | undefined)?.tags?.['anycast-deployment'] === topology.name,
  );
  return [
    ...found,
    ...ours.map((one) =>
      error(
        'vault-soft-deleted',
        `${String(one.name)} was deleted and still holds its name`,
        `az keyvault recover --name ${String(one.name)}`,
      ),
    ),
  ];
};

/** azd deploys one service per seat; a seat it does not know of would stay empty. */
const checkServices: Check = async ({ topology }) => {
  const parsed = existsSync('azure.yaml') ? parseYaml(readFileSync('azure.yaml', 'utf8')) : undefined;
  const services = parsed?.ok ? Object.keys((parsed.value as { services?: object }).services ?? {}) : [];
  return topology.seats
    .filter((seat) => !services.includes(seat.name))
    .map((seat) =>
      error(
        'service-missing',
        `azure.yaml has no service ${seat.name}`,
        `copy one of its services and name it ${seat.name}`,
      ),
    );
};

const checkPlaceholders: Check = async ({ azure, topology }) => {
  const found: PreflightFinding[] = [];
  if (azure.regions.some((entry) => /ReplaceThis/.test(entry.nvas.adminPublicKey))) {
    found.push(
      error('placeholder', 'azure.regions[].nvas.adminPublicKey is the example', 'write your own SSH public key'),
    );
  }
  if (topology.regions.some((region) => region.routeServer.resourceId.includes('/00000000-0000'))) {
    found.push(
      error('placeholder', 'resource ids name the subscription of the example', 'write your own subscription id'),
    );
  }
  if (azure.access.addresses.length === 0) {
    found.push(
      warning(
        'closed',
        'no public address may reach the seats or upload packages',
        'deploy from inside the networks, or name your address in azure.access.addresses',
      ),
    );
  }
  if (azure.alerts.emails.length === 0) {
    found.push(warning('nobody-told', 'alerts are told to nobody', 'name somebody in azure.alerts.emails'));
  }
  return found;
};

const CHECKS: readonly Check[] = [
  checkSignIn,
  checkPlaceholders,
  checkServices,
  checkProviders,
  checkRights,
  checkRoleActions,
  checkFlex,
  checkMachines,
  checkRouteServers,
  checkHubs,
  checkPolicies,
  checkNames,
];

/** Everything found, warnings before errors; without the Azure CLI nothing else can be asked. */
export async function preflight(look: Look): Promise<PreflightFinding[]> {
  const tools = await checkTools(look);
  if (tools.some((finding) => finding.code === 'az-missing')) return tools;
  const found = [...tools];
  for (const check of CHECKS) found.push(...(await check(look)));
  return [...found.filter((one) => one.severity === 'warning'), ...found.filter((one) => one.severity === 'error')];
}

export const findingText = ({ severity, code, message, fix }: PreflightFinding): string =>
  `${severity.toUpperCase()} ${code}: ${message}\n  fix: ${fix}`;
