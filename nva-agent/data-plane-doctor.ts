// What `doctor` looks for when this NVA carries traffic itself: programs, privileges, and who else uses our names.
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findNva } from '../shared/topology.ts';
import type { AgentConfig } from './control/config.ts';
import { type Execute, execute as executeHere } from './dataplane/execution.ts';
import { type DataPlaneConfig, dataPlaneOf } from './dataplane/plan.ts';
import type { DoctorFinding } from './doctor.ts';

const CHECK = 'data plane';
const FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];
const DROP_IN = '/usr/share/doc/anycast-agent/examples/data-plane.conf';
const UNIT_FOLDER = '/etc/systemd/system/anycast-agent.service.d';
/** Bits of capabilities(7). */
const CAPABILITIES = { CAP_NET_BIND_SERVICE: 10, CAP_NET_ADMIN: 12 } as const;
type Capability = keyof typeof CAPABILITIES;

/** The machine as the checks see it; replaced by tests. */
export interface DataPlaneMachine {
  readonly has: (program: string) => boolean;
  /** Effective capabilities of this process, as a bit set. */
  readonly capabilities: () => bigint;
  readonly execute: Execute;
}

const realMachine: DataPlaneMachine = {
  has: (program) => FOLDERS.some((folder) => isExecutable(join(folder, program))),
  capabilities: () => {
    const [, hex = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return BigInt(`0x${hex}`);
  },
  execute: executeHere,
};

/** One finding per thing that would keep the vips off the wire; none at all when somebody else carries them. */
export async function checkDataPlane(
  config: AgentConfig,
  machine: DataPlaneMachine = realMachine,
): Promise<DoctorFinding[]> {
  const place = findNva(config.loadedTopology, config.nva);
  if (place === undefined) return [];
  const plan = dataPlaneOf(config.loadedTopology, place);
  if (plan.vips.length === 0) return [];
  return [...checkPrograms(plan, machine), ...checkCapabilities(plan, machine), await checkUnit(plan, machine)];
}

/** Programs by what asks for them, with the Debian package that brings them. */
function programsOf(plan: DataPlaneConfig): readonly (readonly [string, string, string])[] {
  const { vips, tunnel } = plan;
  const isForwarding = vips.some((vip) => vip.mode !== 'reverse-proxy');
  return [
    ['ip', 'iproute2', 'vip addresses'],
    ['nft', 'nftables', 'its rules'],
    ['sysctl', 'procps', 'kernel settings'],
    ...(vips.some((vip) => vip.mode === 'reverse-proxy')
      ? [['haproxy', 'haproxy', 'mode reverse-proxy'] as const]
      : []),
    ...(isForwarding ? [['conntrack', 'conntrack', 'counting the connections of a drain'] as const] : []),
    ...(tunnel === undefined ? [] : [['bridge', 'iproute2', 'second chances'] as const]),
    ...(plan.sessionPeer === undefined ? [] : [['conntrackd', 'conntrackd', 'symmetry shared-sessions'] as const]),
  ];
}

function checkPrograms(plan: DataPlaneConfig, machine: DataPlaneMachine): DoctorFinding[] {
  const absent = programsOf(plan).filter(([program]) => !machine.has(program));
  if (absent.length === 0) return [{ check: CHECK, outcome: 'ok', message: 'every program it needs is installed' }];
  return absent.map(([program, debianPackage, purpose]) => ({
    check: CHECK,
    outcome: 'failed',
    message: `${program} is not installed; needed for ${purpose}`,
    fix: `apt-get install ${debianPackage}`,
  }));
}

const neededCapabilities = (plan: DataPlaneConfig): Capability[] => [
  'CAP_NET_ADMIN',
  ...(plan.vips.some((vip) => vip.mode === 'reverse-proxy' && vip.ports.some((port) => port.listen < 1024))
    ? (['CAP_NET_BIND_SERVICE'] as const)
    : []),
];

function checkCapabilities(plan: DataPlaneConfig, machine: DataPlaneMachine): DoctorFinding[] {
  const held = machine.capabilities();
  const absent = neededCapabilities(plan).filter((name) => ((held >> BigInt(CAPABILITIES[name])) & 1n) === 0n);
  if (absent.length === 0) return [{ check: CHECK, outcome: 'ok', message: 'this user may change the network' }];
  return [
    {
      check: CHECK,
      outcome: 'failed',
      message: `${absent.join(' and ')} missing for this user; no vip would be announced`,
      fix: `run doctor as the service does, or as root; for the service: install -D ${DROP_IN} ${UNIT_FOLDER}/data-plane.conf && systemctl daemon-reload && systemctl restart anycast-agent`,
    },
  ];
}

/** The service runs as a user of its own: that root may do it says nothing about the unit. */
async function checkUnit(plan: DataPlaneConfig, machine: DataPlaneMachine): Promise<DoctorFinding> {
  const check = `${CHECK} of the service`;
  let granted: string;
  try {
    granted = await machine.execute([
      'systemctl',
      'show',
      'anycast-agent.service',
      '--value',
      '-p',
      'AmbientCapabilities',
    ]);
  } catch {
    return { check, outcome: 'not checked', message: 'systemd does not answer here' };
  }
  const absent = neededCapabilities(plan).filter((name) => !granted.toUpperCase().includes(name));
  if (absent.length === 0) return { check, outcome: 'ok', message: `the unit grants ${granted.trim()}` };
  return {
    check,
    outcome: 'failed',
    message: `the unit does not grant ${absent.join(' and ')}`,
    fix: `install -D ${DROP_IN} ${UNIT_FOLDER}/data-plane.conf && systemctl daemon-reload && systemctl restart anycast-agent`,
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
