// Composition root of the control plane: the only file that reads the environment and chooses adapters.
import { join } from 'node:path';
import type { TokenCredential } from '@azure/identity';
import { formatFindings } from '../shared/result.ts';
import { createAgentChannel } from './adapters/agent-https.ts';
import { appProbe } from './adapters/app-probe.ts';
import { appServiceCertificates } from './adapters/app-service-certificates.ts';
import { createBlobLedger } from './adapters/blob-ledger.ts';
import { createEntraTokens } from './adapters/entra-tokens.ts';
import { onDemand } from './adapters/on-demand.ts';
import { createOrderSigner } from './adapters/order-signer.ts';
import { containerOf, type StorageAccount, tableOf } from './adapters/storage-account.ts';
import { systemClock } from './adapters/system-clock.ts';
import { createTableOutbox } from './adapters/table-outbox.ts';
import { createTableProofs } from './adapters/table-proofs.ts';
import { createTableReports } from './adapters/table-reports.ts';
import { createVetoWebhook } from './adapters/veto-webhook.ts';
import { readAssets } from './dashboard/assets.ts';
import { createDeployment, type Plane } from './deployment.ts';
import type { AuditSink, PeerStatusReader, RouteReader, SignalSource } from './ports.ts';
import { registerControlPlane } from './register.ts';
import { readSettings, type Settings } from './settings.ts';
import { LEDGER_CONTAINER, OUTBOX_TABLE, PROOFS_TABLE, REPORTS_TABLE } from './storage-names.ts';

/** On Azure the platform offers a managed identity; elsewhere whatever the developer is signed in with. */
function createCredential(environment: NodeJS.ProcessEnv): TokenCredential {
  const clientId = environment.AZURE_CLIENT_ID;
  return onDemand<TokenCredential>(['getToken'], async () => {
    const { DefaultAzureCredential, ManagedIdentityCredential } = await import('@azure/identity');
    if (environment.IDENTITY_ENDPOINT === undefined) return new DefaultAzureCredential();
    return clientId ? new ManagedIdentityCredential({ clientId }) : new ManagedIdentityCredential();
  });
}

/** Readers of Azure that the first report needs nothing of: their SDKs are loaded when they are first asked. */
function createAzureReaders(
  { routes, logs, query, metrics }: Settings,
  credential: TokenCredential,
): Pick<Plane, 'routes' | 'sink' | 'signals' | 'peerStatus'> {
  return {
    ...(routes && {
      routes: onDemand<RouteReader>(['learned', 'circuit'], async () => {
        const { createArmRoutes } = await import('./adapters/arm-routes.ts');
        return createArmRoutes(credential, routes.endpoint ? { endpoint: routes.endpoint } : {});
      }),
    }),
    ...(logs && {
      sink: onDemand<AuditSink>(['upload'], async () =>
        (await import('./adapters/logs-sink.ts')).createLogsSink(credential, logs),
      ),
    }),
    ...(query && {
      signals: onDemand<SignalSource>(['query'], async () => {
        const { createLogsQuery } = await import('./adapters/logs-query.ts');
        const { workspaceId, endpoint } = query;
        return createLogsQuery(credential, { workspaceId, ...(endpoint && { endpoint }) });
      }),
    }),
    ...(metrics && {
      peerStatus: onDemand<PeerStatusReader>(['read'], async () =>
        (await import('./adapters/metrics-query.ts')).createMetricsQuery(credential, metrics, systemClock),
      ),
    }),
  };
}

export function createPlane(settings: Settings, credential: TokenCredential): Plane {
  const account: StorageAccount =
    settings.storage === undefined
      ? { type: 'identity', blobUrl: settings.topology.witness.account, credential }
      : { type: 'connection-string', text: settings.storage };
  const agents = createAgentChannel(settings.agentCa);
  const { folder, signIn, lab } = settings.dashboard;
  return {
    deployment: createDeployment(settings.topology, settings.seat),
    clock: systemClock,
    ledger: createBlobLedger(
      containerOf(account, LEDGER_CONTAINER),
      settings.topology.seats.map((seat) => seat.name),
    ),
    reports: createTableReports(tableOf(account, REPORTS_TABLE), settings.seat.name),
    proofs: createTableProofs(tableOf(account, PROOFS_TABLE)),
    apps: appProbe,
    outbox: createTableOutbox(tableOf(account, OUTBOX_TABLE)),
    orders: agents,
    probe: agents,
    tokens: createEntraTokens({ ...settings.entra, audience: settings.seat.audience }),
    signer: createOrderSigner(settings.orderKey),
    vetoes: createVetoWebhook(credential),
    dashboard: {
      assets: readAssets(folder ?? join(import.meta.dirname, 'dashboard')),
      ...(signIn && { signIn }),
      ...(lab && { lab }),
    },
    ...(settings.takesCertificates && { certificates: appServiceCertificates }),
    ...createAzureReaders(settings, credential),
  };
}

const settings = readSettings(process.env);
// A function app that cannot work must not look as if it could: loading fails, with everything that is wrong.
if (!settings.ok) throw new Error(`settings are wrong:\n${formatFindings(settings.error)}`);
registerControlPlane(createPlane(settings.value, createCredential(process.env)));
