// Every HTTP route of the control plane, with the role it needs. What is not in this table is not served.
import type { Route } from '../http/call.ts';
import { json } from '../http/call.ts';
import { cancelOperation } from './cancel.ts';
import { dashboardRoutes } from './dashboard.ts';
import { drain, drill, failback, failover, hold, releaseHold, trustLedger, undrain } from './moves.ts';
import { openApi } from './openapi.ts';
import { showOperation } from './operations.ts';
import { showAudit, showExplanation, showHealth, showStatus, showVip } from './reading.ts';
import { newReportMemory, takeReport } from './report.ts';

const read = (name: string, path: string, handle: Route['handle']): Route => ({
  name,
  path,
  methods: ['GET'],
  role: 'Failover.Read',
  handle,
});
const operate = (name: string, path: string, handle: Route['handle']): Route => ({
  name,
  path,
  methods: ['POST'],
  role: 'Failover.Operate',
  handle,
});

export function createRoutes(): readonly Route[] {
  const routes: Route[] = [
    read('status', 'status', showStatus),
    read('vip', 'vips/{vip}', showVip),
    read('explain', 'explain/{vip}', showExplanation),
    read('operation', 'operations/{id}', showOperation),
    read('audit', 'audit', showAudit),
    operate('failover', 'vips/{vip}/failover', failover),
    operate('failback', 'vips/{vip}/failback', failback),
    operate('drain', 'regions/{region}/drain', drain),
    operate('undrain', 'regions/{region}/undrain', undrain),
    operate('hold', 'holds', hold),
    { ...operate('release-hold', 'holds/{id}', releaseHold), methods: ['DELETE'] },
    { ...operate('cancel', 'operations/{id}', cancelOperation), methods: ['DELETE'] },
    operate('drill', 'drills', drill),
    operate('trust-ledger', 'ledgers/{group}/trust', trustLedger),
    {
      name: 'report',
      path: 'agents/{nva}/reports',
      methods: ['POST'],
      role: 'Agent.Report',
      takesCertificate: true,
      handle: takeReport(newReportMemory()),
    },
    // Open on purpose: a probe and a reader of the API carry no token, and neither learns anything of the network.
    { name: 'health', path: 'health', methods: ['GET'], role: null, handle: showHealth },
    ...dashboardRoutes,
  ];
  const document: Route = {
    name: 'openapi',
    path: 'openapi.json',
    methods: ['GET'],
    role: null,
    handle: async ({ plane }) => json(200, openApi([...routes, document], plane.deployment.seat.audience)),
  };
  return [...routes, document];
}
