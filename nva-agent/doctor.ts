// The `doctor` verb: looks over this machine and its configuration; every finding comes with what to do about it.
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { parseEndpoint } from '../shared/ip.ts';
import { findNva, probesOf } from '../shared/topology.ts';
import type { ProbeConfig } from '../shared/topology-schema.ts';
import { BGP_PORT } from './bgp/iana.ts';
import { type AgentConfig, loadAgentConfig } from './control/config.ts';
import { createTokenSource } from './control/identity-token.ts';
import { checkDataPlane } from './data-plane-doctor.ts';
import { checkHost } from './host-doctor.ts';
import { labelOf } from './plan.ts';
import { runProbe } from './probes/probe.ts';

export interface DoctorFinding {
  readonly check: string;
  readonly outcome: 'ok' | 'warning' | 'failed' | 'not checked';
  readonly message: string;
  /** What to do about it. */
  readonly fix?: string;
}

const DAY_MS = 86_400_000;
const CERTIFICATE_WARNING_DAYS = 30;
/** Long enough for a certificate check to be right about "now". */
const CLOCK_FIRST_YEAR = 2025;

const GLYPHS = { ok: '(✓)', warning: '(!)', failed: '(✕)', 'not checked': '(-)' } as const;

/** Runs every check and prints it; exit code 0 nothing failed, 1 something did, 2 the configuration does not load. */
export async function runDoctor(file: string, isJson: boolean): Promise<number> {
  const findings = await examine(file);
  if (isJson) process.stdout.write(`${JSON.stringify(findings)}\n`);
  else process.stdout.write(findings.map(formatFinding).join(''));
  if (findings.some((f) => f.check === 'configuration' && f.outcome === 'failed')) return 2;
  return findings.some((f) => f.outcome === 'failed') ? 1 : 0;
}

const formatFinding = ({ check, outcome, message, fix }: DoctorFinding): string =>
  `${GLYPHS[outcome]} ${check}: ${message}\n${fix === undefined ? '' : `      fix: ${fix}\n`}`;

/** All findings, in the order a person would look. Without a configuration there is only that one. */
export async function examine(file: string): Promise<DoctorFinding[]> {
  const loaded = await loadAgentConfig(file);
  if (!loaded.ok) {
    return loaded.error.map((f) => ({
      check: 'configuration',
      outcome: 'failed',
      message: `${f.path === '' ? file : f.path}: ${f.message} [${f.code}]`,
      fix: `correct it in ${f.path.startsWith('topology:') ? 'anycast.yaml' : file}, then run check-config`,
    }));
  }
  const config = loaded.value;
  const warnings = config.warnings.map(
    (f): DoctorFinding => ({ check: 'topology', outcome: 'warning', message: `${f.path}: ${f.message}` }),
  );
  return [
    { check: 'configuration', outcome: 'ok', message: config.file },
    ...warnings,
    checkClock(Date.now()),
    ...checkCertificate(config, Date.now()),
    await checkState(config),
    await checkIdentity(config),
    ...checkHost(config),
    ...(await checkRoutes(config)),
    ...(await checkDataPlane(config)),
    ...(await checkProbes(config)),
  ];
}

function checkClock(wallMs: number): DoctorFinding {
  const date = new Date(wallMs).toISOString();
  if (new Date(wallMs).getUTCFullYear() >= CLOCK_FIRST_YEAR) return { check: 'clock', outcome: 'ok', message: date };
  return {
    check: 'clock',
    outcome: 'failed',
    message: `${date} cannot be right; orders would be refused as expired or accepted too late`,
    fix: 'start chronyd or systemd-timesyncd',
  };
}

function checkCertificate({ tls }: AgentConfig, wallMs: number): DoctorFinding[] {
  const check = 'certificate';
  try {
    const certificate = new X509Certificate(readFileSync(tls.cert));
    const leftDays = Math.floor((certificate.validToDate.getTime() - wallMs) / DAY_MS);
    if (leftDays < 0)
      return [
        {
          check,
          outcome: 'failed',
          message: `${tls.cert} expired ${-leftDays} days ago`,
          fix: 'renew it, then send the agent SIGHUP',
        },
      ];
    if (leftDays < CERTIFICATE_WARNING_DAYS)
      return [
        {
          check,
          outcome: 'warning',
          message: `${tls.cert} expires in ${leftDays} days`,
          fix: 'renew it, then send the agent SIGHUP',
        },
      ];
    return [{ check, outcome: 'ok', message: `${tls.cert}, ${leftDays} days left` }];
  } catch (error) {
    return [
      { check, outcome: 'failed', message: `${tls.cert}: ${String(error)}`, fix: 'tls.cert must be a PEM certificate' },
    ];
  }
}

async function checkState({ stateDirectory }: AgentConfig): Promise<DoctorFinding> {
  const check = 'state directory';
  try {
    await access(stateDirectory, constants.W_OK);
    return { check, outcome: 'ok', message: `${stateDirectory} is writable` };
  } catch (error) {
    return {
      check,
      outcome: 'failed',
      message: String(error),
      fix: `chown the directory to the agent's user, mode 0700`,
    };
  }
}

async function checkIdentity(config: AgentConfig): Promise<DoctorFinding> {
  const check = 'managed identity';
  const seat = config.loadedTopology.seats[0];
  if (seat === undefined) return { check, outcome: 'not checked', message: 'no seat' };
  try {
    await createTokenSource(config.identity, () => performance.now()).token(seat.audience);
    return { check, outcome: 'ok', message: `token for ${seat.audience}` };
  } catch (error) {
    return {
      check,
      outcome: 'failed',
      message: error instanceof Error ? error.message : String(error),
      fix: `assign a managed identity to this VM and give it the role Agent.Report on ${seat.audience}; without it routes still follow local health, but no seat hears of it`,
    };
  }
}

/** Without a route of its own to Route Server's subnet a session would flap once the default route is learned. */
async function checkRoutes(config: AgentConfig): Promise<DoctorFinding[]> {
  const place = findNva(config.loadedTopology, config.nva);
  if (place === undefined) return [];
  const { subnet, peers } = place.region.routeServer;
  return await Promise.all(
    peers.map(async (peer): Promise<DoctorFinding> => {
      const check = `route to ${peer}`;
      const address = parseEndpoint(peer, BGP_PORT)?.address ?? peer;
      const found = await ipRoute(address);
      if (found === undefined)
        return { check, outcome: 'not checked', message: 'the program ip (iproute2) did not answer' };
      if (found === '') {
        return {
          check,
          outcome: 'failed',
          message: 'no route',
          fix: `ip route add ${subnet ?? `${address}/32`} via <gateway of the NVA's subnet>`,
        };
      }
      return { check, outcome: 'ok', message: found };
    }),
  );
}

/** The kernel's choice, '' when it has none, undefined when it cannot be asked. */
function ipRoute(address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile('ip', ['-o', 'route', 'get', address], { timeout: 2000 }, (error, stdout) => {
      if (error === null) resolve(stdout.trim().replace(/\s+/g, ' '));
      else resolve(error.code === 2 ? '' : undefined);
    });
  });
}

/** A check that cannot fail is no check: each probe is run as it is, and once where it must fail. */
async function checkProbes(config: AgentConfig): Promise<DoctorFinding[]> {
  const place = findNva(config.loadedTopology, config.nva);
  if (place === undefined) return [];
  const port = await closedPort();
  const vips = config.loadedTopology.vips.filter((vip) => vip.regions.includes(place.region.name));
  const found = await Promise.all(
    vips.flatMap((vip) => {
      const probes = probesOf(vip, place.region);
      const nameOf = (probe: ProbeConfig, i: number) =>
        probes.length === 1 ? vip.name : `${vip.name}, ${labelOf(probe, i)}`;
      return probes.map((probe, i) => checkProbe(nameOf(probe, i), probe, vip.health.timeoutMs, port));
    }),
  );
  return found.flat();
}

async function checkProbe(name: string, probe: ProbeConfig, timeoutMs: number, port: number): Promise<DoctorFinding[]> {
  const check = `probe of ${name}`;
  const outcome = await runProbe(probe, timeoutMs);
  const message = outcome.type === 'pass' ? `passed in ${outcome.latencyMs.toFixed(1)} ms` : outcome.detail;
  const now: DoctorFinding = {
    pass: { check, outcome: 'ok' as const, message },
    fail: {
      check,
      outcome: 'warning' as const,
      message,
      fix: 'the application is down, or the probe asks the wrong thing',
    },
    unknown: { check, outcome: 'failed' as const, message, fix: 'the probe itself cannot run here' },
  }[outcome.type];
  return [now, await checkCanFail(name, probe, timeoutMs, port)];
}

async function checkCanFail(vip: string, probe: ProbeConfig, timeoutMs: number, port: number): Promise<DoctorFinding> {
  const check = `probe of ${vip} can fail`;
  const broken = brokenTwin(probe, port);
  if (broken === undefined) {
    return { check, outcome: 'not checked', message: 'a program can only be tried by stopping what it checks' };
  }
  const outcome = await runProbe(broken, timeoutMs);
  if (outcome.type === 'fail')
    return { check, outcome: 'ok', message: `where nobody answers it says: ${outcome.detail}` };
  return {
    check,
    outcome: 'failed',
    message: `where nobody answers it says: ${outcome.type}`,
    fix: 'a probe that cannot fail keeps a dead application announced',
  };
}

/** The same probe aimed at a port where nobody answers. */
function brokenTwin(probe: ProbeConfig, port: number): ProbeConfig | undefined {
  switch (probe.type) {
    case 'http':
    case 'https':
      return { ...probe, url: probe.url.replace(/^(https?:\/\/)[^/?#]+/, `$1127.0.0.1:${port}`) };
    case 'tcp':
      return { ...probe, target: `127.0.0.1:${port}` };
    case 'dns':
      return { ...probe, server: `127.0.0.1:${port}` };
    case 'exec':
      return undefined;
  }
}

function closedPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
