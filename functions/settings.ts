// The settings of the function app: read from the environment once, every problem listed.
import { existsSync, readFileSync } from 'node:fs';
import type { JWK } from 'jose';
import { z } from 'zod';
import { err, type Finding, ok, type Result } from '../shared/result.ts';
import { parseTopology } from '../shared/topology.ts';
import type { Seat, Topology } from '../shared/topology-schema.ts';
import type { SignIn } from './dashboard/assets.ts';

const url = z.url({ protocol: /^https?$/ });
const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional());

const environmentSchema = z.object({
  /** Path of anycast.yaml. */
  ANYCAST_TOPOLOGY: z.string().min(1),
  /** Name of this seat in it. */
  ANYCAST_SEAT: z.string().min(1),
  /** Private JWK that signs orders; on Azure a Key Vault reference. */
  ANYCAST_ORDER_KEY: z.string().min(1),
  /** CA of the agents' certificates: PEM, or the path of a PEM file. */
  ANYCAST_AGENT_CA: z.string().min(1),
  /** Connection string of a local storage account. Absent: the topology's witness by managed identity. */
  ANYCAST_STORAGE: optional(z.string()),
  ENTRA_ISSUER: url,
  ENTRA_JWKS_URI: url,
  /** Where people sign in to the dashboard; the issuer when absent. */
  ENTRA_AUTHORITY: optional(url),
  /** Application (client) id of the dashboard's registration, a single-page application. Absent: nobody can sign in. */
  ANYCAST_DASHBOARD_CLIENT_ID: optional(z.string().max(200)),
  /** Folder of the built page; beside the bundle when absent. */
  ANYCAST_DASHBOARD_FILES: optional(z.string()),
  /** Origin of the lab's control API: the dashboard then offers faults. Only a lab sets it. */
  ANYCAST_LAB: optional(url),
  /** `app-service`: the platform in front ends TLS and passes verified client certificates. Absent: none count. */
  ANYCAST_CLIENT_CERTIFICATES: optional(z.literal('app-service')),
  ARM_ENDPOINT: optional(url),
  /** `off`: routes are not read through ARM. */
  ANYCAST_ROUTES: optional(z.enum(['arm', 'off'])),
  /** Such as https://{region}.metrics.monitor.azure.com. Absent: Route Server's own metric is not read. */
  ANYCAST_METRICS_ENDPOINT: optional(z.string().regex(/^https:\/\/[^\s/]+$/, 'an https origin')),
  LOGS_ENDPOINT: optional(url),
  LOGS_RULE_ID: optional(z.string()),
  LOGS_QUERY_ENDPOINT: optional(url),
  LOGS_WORKSPACE_ID: optional(z.string()),
});

const privateKeySchema = z.looseObject({
  kid: z.string().min(1),
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string().min(1),
  y: z.string().min(1),
  d: z.string().min(1),
});

export interface Settings {
  readonly topology: Topology;
  readonly seat: Seat;
  readonly orderKey: JWK & { readonly kid: string };
  readonly agentCa: string;
  readonly storage: string | undefined;
  /** Client certificates stand in for tokens of observers. */
  readonly takesCertificates: boolean;
  readonly entra: { readonly issuer: string; readonly jwksUri: string };
  readonly dashboard: {
    readonly folder: string | undefined;
    readonly signIn: SignIn | undefined;
    readonly lab: string | undefined;
  };
  readonly routes: { readonly endpoint: string | undefined } | undefined;
  readonly metrics: { readonly endpoint: string } | undefined;
  readonly logs: { readonly endpoint: string; readonly ruleId: string } | undefined;
  readonly query: { readonly endpoint: string | undefined; readonly workspaceId: string } | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The settings, or everything that is wrong with them. Never repeats a secret's value. */
export function readSettings(environment: Environment): Result<Settings> {
  const parsed = environmentSchema.safeParse(environment);
  if (!parsed.success) {
    return err(parsed.error.issues.map((issue) => finding(String(issue.path[0]), 'malformed', issue.message)));
  }
  const values = parsed.data;
  const topology = readTopology(values.ANYCAST_TOPOLOGY);
  const orderKey = readOrderKey(values.ANYCAST_ORDER_KEY);
  const agentCa = readCa(values.ANYCAST_AGENT_CA);
  const findings: Finding[] = [];
  for (const part of [topology, orderKey, agentCa]) if (!part.ok) findings.push(...part.error);
  if ((values.LOGS_ENDPOINT === undefined) !== (values.LOGS_RULE_ID === undefined)) {
    findings.push(finding('LOGS_RULE_ID', 'incomplete', 'LOGS_ENDPOINT and LOGS_RULE_ID belong together'));
  }
  if (topology.ok) findings.push(...checkSeat(topology.value, values.ANYCAST_SEAT, orderKey));
  if (findings.length > 0 || !topology.ok || !orderKey.ok || !agentCa.ok) return err(findings);
  const seat = topology.value.seats.find((candidate) => candidate.name === values.ANYCAST_SEAT) as Seat;
  return ok({
    topology: topology.value,
    seat,
    orderKey: orderKey.value,
    agentCa: agentCa.value,
    storage: values.ANYCAST_STORAGE,
    takesCertificates: values.ANYCAST_CLIENT_CERTIFICATES === 'app-service',
    entra: { issuer: values.ENTRA_ISSUER, jwksUri: values.ENTRA_JWKS_URI },
    dashboard: {
      folder: values.ANYCAST_DASHBOARD_FILES,
      lab: values.ANYCAST_LAB,
      signIn:
        values.ANYCAST_DASHBOARD_CLIENT_ID === undefined
          ? undefined
          : {
              authority: values.ENTRA_AUTHORITY ?? values.ENTRA_ISSUER,
              clientId: values.ANYCAST_DASHBOARD_CLIENT_ID,
              scope: `openid offline_access ${seat.audience}/.default`,
            },
    },
    routes: values.ANYCAST_ROUTES === 'off' ? undefined : { endpoint: values.ARM_ENDPOINT },
    metrics: values.ANYCAST_METRICS_ENDPOINT ? { endpoint: values.ANYCAST_METRICS_ENDPOINT } : undefined,
    logs:
      values.LOGS_ENDPOINT && values.LOGS_RULE_ID
        ? { endpoint: values.LOGS_ENDPOINT, ruleId: values.LOGS_RULE_ID }
        : undefined,
    query: values.LOGS_WORKSPACE_ID
      ? { endpoint: values.LOGS_QUERY_ENDPOINT, workspaceId: values.LOGS_WORKSPACE_ID }
      : undefined,
  });
}

const finding = (path: string, code: string, message: string): Finding => ({ path, code, message });

function readTopology(path: string): Result<Topology> {
  if (!existsSync(path)) return err([finding('ANYCAST_TOPOLOGY', 'not-found', `${path} does not exist`)]);
  const loaded = parseTopology(readFileSync(path, 'utf8'));
  return loaded.ok ? ok(loaded.value.topology) : loaded;
}

function readOrderKey(text: string): Result<JWK & { kid: string }> {
  try {
    const key = privateKeySchema.safeParse(JSON.parse(text));
    if (key.success) return ok(key.data);
    const missing = key.error.issues.map((issue) => issue.path.join('.')).join(', ');
    return err([finding('ANYCAST_ORDER_KEY', 'malformed', `not a private P-256 JWK with a kid: ${missing}`)]);
  } catch {
    return err([finding('ANYCAST_ORDER_KEY', 'not-json', 'not JSON')]);
  }
}

function readCa(value: string): Result<string> {
  if (value.includes('-----BEGIN CERTIFICATE-----')) return ok(value);
  if (!existsSync(value)) return err([finding('ANYCAST_AGENT_CA', 'not-found', 'neither PEM nor the path of a file')]);
  const text = readFileSync(value, 'utf8');
  return text.includes('-----BEGIN CERTIFICATE-----')
    ? ok(text)
    : err([finding('ANYCAST_AGENT_CA', 'malformed', `${value} holds no certificate`)]);
}

/** Agents accept only pinned keys: an unpinned one would have every order refused, which is better said now. */
function checkSeat(topology: Topology, name: string, orderKey: Result<JWK & { kid: string }>): Finding[] {
  const seat = topology.seats.find((candidate) => candidate.name === name);
  if (seat === undefined) return [finding('ANYCAST_SEAT', 'unknown-seat', `${name} is no seat of the topology`)];
  if (!orderKey.ok) return [];
  const { kid, x, y } = orderKey.value;
  const pinned = seat.orderKeys.find((key) => key.kid === kid);
  if (pinned === undefined)
    return [finding('ANYCAST_ORDER_KEY', 'unpinned-key', `kid ${kid} is not among the seat's orderKeys`)];
  const isSame = pinned.jwk.x === x && pinned.jwk.y === y;
  return isSame ? [] : [finding('ANYCAST_ORDER_KEY', 'other-key', `is another key than the one pinned as ${kid}`)];
}
