// The app registration of a deployment: roles, identifier, sign-in of people. Looks first, changes only what differs.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Az, answerOf, objectOf } from './az.ts';

const GRAPH = 'https://graph.microsoft.com/v1.0';
/** The Azure CLI itself, so that people who are signed in with it get a token without being asked. */
const AZURE_CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46';
const SCOPE = 'user_impersonation';

export interface AppRole {
  readonly id: string;
  readonly value: string;
}

export const appRoles = (): readonly AppRole[] =>
  (JSON.parse(readFileSync('infra/azure/app-roles.json', 'utf8')) as object[]).map((role) => ({
    ...role,
    isEnabled: true,
  })) as unknown as readonly AppRole[];

export interface Registration {
  readonly clientId: string;
  /** Object id of its service principal, which roles are assigned on. */
  readonly servicePrincipalId: string;
  readonly audience: string;
}

interface Application {
  readonly id: string;
  readonly appId: string;
  readonly identifierUris?: readonly string[];
  readonly appRoles?: readonly { readonly id: string; readonly value: string; readonly isEnabled: boolean }[];
  readonly api?: {
    readonly requestedAccessTokenVersion?: number | null;
    readonly oauth2PermissionScopes?: readonly { readonly id: string; readonly value: string }[];
    readonly preAuthorizedApplications?: readonly { readonly appId: string }[];
  };
  readonly spa?: { readonly redirectUris?: readonly string[] };
}

const rest = (az: Az, method: string, path: string, body?: unknown) =>
  az(
    ...['rest', '--method', method, '--url', path.startsWith('https:') ? path : `${GRAPH}${path}`],
    ...(body === undefined ? [] : ['--headers', 'Content-Type=application/json', '--body', JSON.stringify(body)]),
  );

const firstOf = (value: unknown): unknown => (value as { value?: unknown[] } | null)?.value?.[0];
const quoted = (text: string) => encodeURIComponent(`'${text.replaceAll("'", "''")}'`);

const nameOf = (deployment: string): string => `anycast-failover ${deployment}`;

/** The app registration of a deployment; undefined when there is none. */
export async function applicationOf(az: Az, deployment: string): Promise<Application | undefined> {
  const filter = `/applications?$filter=displayName%20eq%20${quoted(nameOf(deployment))}`;
  return firstOf(answerOf(await rest(az, 'get', filter), 'Entra')) as Application | undefined;
}

/** Its service principal and every assignment of its roles go with it. */
export async function removeApplication(az: Az, objectId: string): Promise<void> {
  answerOf(await rest(az, 'delete', `/applications/${objectId}`), 'app registration');
}

/** @param seatUrls the dashboard of each is where people come back to after signing in */
export async function register(az: Az, deployment: string, seatUrls: readonly string[]): Promise<Registration> {
  const app = (await applicationOf(az, deployment)) ?? ((await create(az, nameOf(deployment))) as Application);
  await complete(az, app, seatUrls);
  const principals = answerOf(
    await rest(az, 'get', `/servicePrincipals?$filter=appId%20eq%20${quoted(app.appId)}`),
    'Entra',
  );
  const principal = (firstOf(principals) ??
    answerOf(
      await rest(az, 'post', '/servicePrincipals', { appId: app.appId, appRoleAssignmentRequired: true }),
      'Entra',
    )) as {
    readonly id: string;
  };
  return { clientId: app.appId, servicePrincipalId: principal.id, audience: `api://${app.appId}` };
}

const create = async (az: Az, displayName: string): Promise<unknown> =>
  answerOf(
    await rest(az, 'post', '/applications', { displayName, signInAudience: 'AzureADMyOrg' }),
    'app registration',
  );

/** Version 2 tokens: their audience is the client id, which the seats accept beside the identifier. */
async function complete(az: Az, app: Application, seatUrls: readonly string[]): Promise<void> {
  const audience = `api://${app.appId}`;
  const wantedRoles = appRoles();
  const redirects = seatUrls.map((url) => `${url}/api/dashboard`);
  const scope = app.api?.oauth2PermissionScopes?.find((one) => one.value === SCOPE);
  const isComplete =
    app.identifierUris?.includes(audience) === true &&
    app.api?.requestedAccessTokenVersion === 2 &&
    scope !== undefined &&
    app.api.preAuthorizedApplications?.some((one) => one.appId === AZURE_CLI) === true &&
    wantedRoles.every((role) => app.appRoles?.some((one) => one.value === role.value && one.isEnabled)) &&
    redirects.every((uri) => app.spa?.redirectUris?.includes(uri));
  if (isComplete) return;
  const scopeId = scope?.id ?? randomUUID();
  const others = (app.appRoles ?? []).filter((role) => !wantedRoles.some((wanted) => wanted.value === role.value));
  const patch = (body: unknown) => rest(az, 'patch', `/applications/${app.id}`, body);
  const api = { requestedAccessTokenVersion: 2, oauth2PermissionScopes: [scopeOf(scopeId)] };
  answerOf(
    await patch({
      identifierUris: [...new Set([...(app.identifierUris ?? []), audience])],
      appRoles: [...wantedRoles.map((role) => sameId(role, app)), ...others],
      spa: { redirectUris: [...new Set([...(app.spa?.redirectUris ?? []), ...redirects])] },
      api,
    }),
    'app registration',
  );
  // A scope must exist before an application can be authorised for it.
  const preAuthorizedApplications = [{ appId: AZURE_CLI, delegatedPermissionIds: [scopeId] }];
  answerOf(await patch({ api: { ...api, preAuthorizedApplications } }), 'app registration');
}

/** A role that is there keeps its id: assignments hang on it. */
const sameId = (role: AppRole, app: Application): AppRole => ({
  ...role,
  id: app.appRoles?.find((one) => one.value === role.value)?.id ?? role.id,
});

const scopeOf = (id: string) => ({
  id,
  value: SCOPE,
  type: 'User',
  isEnabled: true,
  adminConsentDisplayName: 'Use anycast-failover',
  adminConsentDescription: 'Lets an application act as the person who is signed in; roles decide what that may be.',
});

/** Gives the role to this user, group or identity unless it has it. True when it was given now. */
export async function assignRole(
  az: Az,
  registration: Registration,
  principalId: string,
  value: string,
): Promise<boolean> {
  const path = `/servicePrincipals/${registration.servicePrincipalId}`;
  const roles = (objectOf(await rest(az, 'get', path)).appRoles ?? []) as AppRole[];
  const role = roles.find((one) => one.value === value);
  if (role === undefined) throw new Error(`the app registration has no role ${value} yet; try again in a minute`);
  const assigned = answerOf(await rest(az, 'get', `${path}/appRoleAssignedTo?$top=999`), 'app role assignments');
  const known = ((assigned as { value?: object[] } | null)?.value ?? []) as {
    principalId: string;
    appRoleId: string;
  }[];
  if (known.some((one) => one.principalId === principalId && one.appRoleId === role.id)) return false;
  const body = { principalId, resourceId: registration.servicePrincipalId, appRoleId: role.id };
  answerOf(await rest(az, 'post', `${path}/appRoleAssignedTo`, body), `role ${value}`);
  return true;
}
