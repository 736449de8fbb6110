// Checks of the control plane: seats, leader, ledger, clocks, roles, outbox, and whether it runs on this file. Pure.
import type { Status } from '../../../shared/api.ts';
import { type Facts, type Finding, known } from './facts.ts';

const DECISION_TICKS_MAX = 6;
const CLOCK_OFFSET_MS_MAX = 10_000;
/** Records that wait for Log Analytics; a healthy outbox empties within seconds. */
const OUTBOX_DEPTH_MAX = 200;

const problem = (code: string, where: string, what: string, fix: string): Finding => ({
  ...{ code, where, what, fix },
  severity: 'problem',
});

export function checkControlPlane(facts: Facts): Finding[] {
  const status = known(facts.status);
  return [
    ...checkSeats(facts),
    ...checkRoles(facts),
    // Without its ledger a seat knows nothing to compare; that it lacks one is the finding.
    ...(status === undefined || status.ledger !== 'ok'
      ? []
      : [...checkLeader(facts, status), ...checkFile(facts, status), ...checkEvidence(status)]),
  ];
}

function checkSeats({ seats }: Facts): Finding[] {
  return seats.flatMap((seat): Finding[] => {
    if (seat.health.type === 'failed') {
      const fix = 'is the function app running, is the URL in seats[].url right, does a private endpoint keep you out?';
      return [problem('seat-unreachable', seat.name, `${seat.url}: ${seat.health.detail}`, fix)];
    }
    const health = known(seat.health);
    if (health === undefined) return [];
    const found: Finding[] = [];
    if (health.seat !== seat.name) {
      const fix = 'ANYCAST_SEAT of that function app and seats[] of the file must agree';
      found.push(problem('seat-misnamed', seat.name, `${seat.url} calls itself ${health.seat}`, fix));
    }
    if (seat.clockOffsetMs !== null && Math.abs(seat.clockOffsetMs) > CLOCK_OFFSET_MS_MAX) {
      const what = `its clock differs from this machine's by ${Math.round(seat.clockOffsetMs / 1000)} s`;
      found.push(problem('clock-skew', seat.name, what, 'look at the clock of this machine first, then at the host'));
    }
    if (health.ledger === 'unreachable') {
      const fix =
        'witness.account: does it exist, may the seat reach it (private endpoint, firewall), does its identity hold Storage Blob and Table Data Contributor?';
      found.push(problem('ledger-unreachable', seat.name, 'it can neither read nor decide', fix));
    }
    return found;
  });
}

function checkRoles({ roles, status }: Facts): Finding[] {
  const hasRead = roles?.some((role) => role === 'Failover.Read' || role === 'Failover.Operate') ?? false;
  if (!hasRead && roles !== undefined) {
    const fix = 'have the app role Failover.Read (or Failover.Operate) assigned to you, then sign in again';
    return [problem('role-missing', 'you', `your token holds ${roles.join(', ') || 'no role'}`, fix)];
  }
  if (status.type !== 'failed' || !/HTTP 40[13]|[Nn]ot (authenticated|allowed)|role/.test(status.detail)) return [];
  const fix = 'sign in for this audience: az login --scope AUDIENCE/.default; check ENTRA_ISSUER of the seat';
  return [problem('token-refused', 'you', status.detail, fix)];
}

function checkLeader({ topology }: Facts, status: Status): Finding[] {
  const found: Finding[] = [];
  if (status.leader === null) {
    const fix = 'look at the log of each seat: the ledger lease cannot be taken';
    found.push(problem('no-leader', 'control plane', 'no seat leads', fix));
  }
  const ageMs = status.decidedAtMs === null ? Number.POSITIVE_INFINITY : status.nowMs - status.decidedAtMs;
  if (status.leader !== null && ageMs > Math.max(30_000, DECISION_TICKS_MAX * topology.timing.tickSeconds * 1000)) {
    const what = `the last decision is ${Number.isFinite(ageMs) ? `${Math.round(ageMs / 1000)} s` : 'nowhere to be seen'} old`;
    const fix = 'is the timer running (always-ready, AzureWebJobs.tick.Disabled), do reports arrive?';
    found.push(problem('decision-old', status.leader, what, fix));
  }
  if (status.automation === 'untrusted') {
    const fix = 'compare anycastctl status with the network, then POST /ledgers/GROUP/trust';
    found.push(problem('ledger-untrusted', 'control plane', 'the ledger was rebuilt and waits for a person', fix));
  }
  if ((status.outboxDepth ?? 0) > OUTBOX_DEPTH_MAX) {
    const fix =
      'LOGS_ENDPOINT and LOGS_RULE_ID, Monitoring Metrics Publisher on the DCR for each seat, the table AnycastAudit_CL';
    found.push(problem('outbox-deep', 'audit', `${status.outboxDepth} records wait for Log Analytics`, fix));
  }
  return found;
}

function checkFile({ topology }: Facts, status: Status): Finding[] {
  const fix = 'deploy this file, or give doctor the deployed one; anycastctl plan shows what differs';
  const found: Finding[] = [];
  if (status.deployment !== topology.name)
    found.push(problem('other-deployment', 'file', `the file is ${topology.name}, ${status.deployment} answers`, fix));
  for (const vip of topology.vips) {
    const running = status.vips.find((one) => one.vip === vip.name);
    if (running === undefined) {
      found.push(problem('vip-not-deployed', vip.name, 'the control plane does not know it', fix));
      continue;
    }
    const differences = [
      ...(running.prefix === vip.prefix ? [] : [`prefix ${running.prefix}, file ${vip.prefix}`]),
      ...(running.regions.map((one) => one.region).join() === vip.regions.join()
        ? []
        : [`ranking ${running.regions.map((one) => one.region).join(', ')}, file ${vip.regions.join(', ')}`]),
      ...(running.mode === vip.mode ? [] : [`mode ${running.mode}, file ${vip.mode}`]),
    ];
    if (differences.length > 0) found.push(problem('vip-differs', vip.name, differences.join('; '), fix));
  }
  return found;
}

function checkEvidence(status: Status): Finding[] {
  const reportMs = (status.timing?.reportSeconds ?? 2) * 1000;
  const nvas = new Map(
    status.vips.flatMap((vip) => vip.regions.flatMap((region) => region.nvas.map((nva) => [nva.nva, nva] as const))),
  );
  const silent = [...nvas.values()].flatMap((nva): Finding[] => {
    if (nva.reportAgeMs !== null && nva.reportAgeMs <= 5 * reportMs) return [];
    const what =
      nva.reportAgeMs === null ? 'never reported' : `last reported ${Math.round(nva.reportAgeMs / 1000)} s ago`;
    const fix =
      'is the agent running, does it reach every seat URL, does its identity hold Agent.Report (principalId in the file right)?';
    return [problem('reports-missing', nva.nva, what, fix)];
  });
  const unseen = status.vips
    .filter((vip) => vip.regions.every((region) => region.serves === null))
    .map((vip): Finding => {
      const fix = 'start an observer (observers[] and vips[].observe); without one nothing proves what users get';
      return { code: 'no-observer', severity: 'warning', where: vip.vip, what: 'no observer reports', fix };
    });
  return [...silent, ...unseen];
}
