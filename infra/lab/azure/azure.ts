// All stand-ins for Azure on loopback: one HTTPS origin for ARM, Logs Ingestion, queries and token keys, because the
// SDKs refuse bearer tokens without TLS, and one HTTP origin for managed identities, as on Azure.
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Arm, type ArmOptions, createArm } from './arm.ts';
import type { Authority } from './certificates.ts';
import { createEntra, type Entra, type LabPrincipal, type TokenOptions } from './entra.ts';
import { type Endpoint, serve } from './exchange.ts';
import { createLogs, type Logs, type LogsOptions } from './logs.ts';
import { createMetrics, type MetricsOptions } from './metrics.ts';
import { createSignIn, DASHBOARD_CLIENT_ID } from './sign-in.ts';

export interface AzureOptions
  extends Pick<ArmOptions, 'learned' | 'circuit' | 'operationMs'>,
    LogsOptions,
    MetricsOptions {
  readonly authority: Authority;
  readonly principals: readonly LabPrincipal[];
  /** Address to listen on; loopback by default. */
  readonly address?: string;
  /** Free ports by default. */
  readonly tlsPort?: number;
  readonly identityPort?: number;
  /** Resources that people configure; absent: none can be read. */
  readonly resources?: Endpoint;
}

export interface Azure {
  readonly origin: string;
  readonly identityOrigin: string;
  readonly arm: Pick<Arm, 'setDown'>;
  readonly logs: Logs;
  token(principal: string, options: TokenOptions): Promise<string>;
  /** Settings of functions/app.ts that lead a seat here, run as this principal. */
  environmentOf(principal: string): Record<string, string>;
  /** `identity.endpoint` of an agent that runs as this principal. */
  imdsEndpointOf(principal: string): string;
  stop(): Promise<void>;
}

export const LOGS_RULE_ID = 'dcr-00000000000000000000000000000000';
export const LOGS_WORKSPACE_ID = '00000000-0000-0000-0000-00000000aaaa';

export async function startAzure(options: AzureOptions): Promise<Azure> {
  const address = options.address ?? '127.0.0.1';
  let origin = '';
  let identityOrigin = '';
  const entra: Entra = await createEntra(() => `${origin}/entra/v2.0`, options.principals);
  const arm = createArm({ ...options, origin: () => origin });
  const logs = createLogs(options);
  const certificate = await options.authority.issue('azure', [address, 'localhost']);
  const tls = createHttpsServer(
    certificate,
    serve(
      () => origin,
      [
        entra.keys,
        createMetrics(options),
        ...(options.resources ? [options.resources] : []),
        arm.endpoint,
        logs.endpoint,
      ],
    ),
  );
  const signIn = createSignIn({
    people: options.principals.filter(({ isPerson }) => isPerson),
    origin: () => identityOrigin,
    issuer: () => `${origin}/entra/v2.0`,
    token: entra.token,
    nowMs: Date.now,
  });
  const identity = createHttpServer(serve(() => 'http://identity', [entra.identity, signIn]));
  await Promise.all([listen(tls, address, options.tlsPort ?? 0), listen(identity, address, options.identityPort ?? 0)]);
  origin = `https://${address}:${portOf(tls)}`;
  identityOrigin = `http://${address}:${portOf(identity)}`;
  return {
    origin,
    identityOrigin,
    arm,
    logs,
    token: entra.token,
    environmentOf: (principal) => ({
      ENTRA_ISSUER: `${origin}/entra/v2.0`,
      ENTRA_JWKS_URI: `${origin}${entra.keysPath}`,
      // Browsers do not know the lab's CA: people sign in over plain HTTP on loopback.
      ENTRA_AUTHORITY: `${identityOrigin}/entra/v2.0`,
      ANYCAST_DASHBOARD_CLIENT_ID: DASHBOARD_CLIENT_ID,
      ARM_ENDPOINT: origin,
      LOGS_ENDPOINT: origin,
      LOGS_RULE_ID,
      LOGS_QUERY_ENDPOINT: origin,
      LOGS_WORKSPACE_ID,
      IDENTITY_ENDPOINT: `${identityOrigin}${entra.appServicePath}`,
      IDENTITY_HEADER: entra.secretOf(principal),
    }),
    imdsEndpointOf: (principal) => `${identityOrigin}${entra.imdsPath(principal)}`,
    stop: async () => {
      await Promise.all([close(tls), close(identity)]);
    },
  };
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

function listen(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
