// A BIRD and an FRR as an operator would have configured them for the agent to drive, on loopback, with two peers.
import { appendFile, chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentFile } from '../../../nva-agent/control/config.ts';
import { BIRD } from '../../support/bird.ts';
import { type Daemon, makeFolder, runCommand, startDaemon, untilReady } from '../../support/daemon.ts';
import { FRR } from '../../support/frr.ts';

export const NVA_ADDRESS = '127.0.0.2';
export const NVA_ASN = 65001;

export interface PeerEndpoint {
  readonly address: string;
  readonly port: number;
}

export interface DrivenDaemon {
  readonly driver: AgentFile['driver'];
  readonly folder: string;
  /** Starts the daemon, again after it was ended. */
  start(): Promise<void>;
  current(): Daemon;
  /** Makes the next change of the configuration be refused, and takes that back. */
  breakConfig(): Promise<void>;
  mendConfig(): Promise<void>;
  stop(): Promise<void>;
}

const birdConfig = (folder: string, port: number, peers: readonly PeerEndpoint[]) => `log stderr all;
router id 10.1.1.4;
include "${folder}/run/bird*.conf";
protocol device { }
${peers
  .map(
    (peer, i) => `protocol bgp rs${i + 1} {
  local ${NVA_ADDRESS} port ${port} as ${NVA_ASN};
  neighbor ${peer.address} port ${peer.port} as 65515;
  multihop;
  connect delay time 1;
  error wait time 1, 2;
  graceful restart off;
  ipv4 {
    import none;
    export filter { if proto = "anycast_agent" then { if defined(bgp_med) then bgp_med = bgp_med; accept; } reject; };
  };
}
`,
  )
  .join('')}`;

export async function createDrivenBird(port: number, peers: readonly PeerEndpoint[]): Promise<DrivenDaemon> {
  const folder = await makeFolder({});
  const file = (name: string) => join(folder.path, name);
  await mkdir(file('run'));
  await writeFile(file('bird.conf'), birdConfig(folder.path, port, peers));
  const good = await readFile(file('bird.conf'), 'utf8');
  let daemon: Daemon | undefined;
  const socket = file('bird.ctl');
  return {
    driver: { type: 'bird', socket, include: file('run/bird.conf'), table: 'master4', control: BIRD.control },
    folder: folder.path,
    current: () => daemon as Daemon,
    start: async () => {
      daemon = startDaemon({ program: BIRD.program, args: ['-f', '-c', file('bird.conf'), '-s', socket] });
      await untilReady(daemon, 'BIRD to answer', () => answers(BIRD.control, ['-s', socket, 'show', 'status']));
    },
    breakConfig: () => appendFile(file('bird.conf'), 'protocol nonsense { }\n'),
    mendConfig: () => writeFile(file('bird.conf'), good),
    stop: async () => {
      await daemon?.stop();
      await folder.remove();
    },
  };
}

const frrConfig = (peers: readonly PeerEndpoint[]) => `log stdout
router bgp ${NVA_ASN}
 bgp router-id 10.1.1.4
 no bgp ebgp-requires-policy
 no bgp network import-check
${peers
  .map(
    ({ address, port }) => ` neighbor ${address} remote-as 65515
 neighbor ${address} port ${port}
 neighbor ${address} ebgp-multihop 255
 neighbor ${address} update-source ${NVA_ADDRESS}
 neighbor ${address} timers connect 1
 neighbor ${address} advertisement-interval 0
`,
  )
  .join('')}`;

export async function createDrivenFrr(port: number, peers: readonly PeerEndpoint[]): Promise<DrivenDaemon> {
  const folder = await makeFolder({ 'bgpd.conf': frrConfig(peers), 'vtysh.conf': '' });
  await chmod(folder.path, 0o755);
  const file = (name: string) => join(folder.path, name);
  const vtysh = (...commands: string[]) =>
    runCommand(FRR.control, [
      ...['--vty_socket', folder.path, '--config_dir', folder.path],
      ...commands.flatMap((command) => ['-c', command]),
    ]);
  let daemon: Daemon | undefined;
  return {
    driver: { type: 'frr', vtysh: FRR.control, vtySockets: folder.path },
    folder: folder.path,
    current: () => daemon as Daemon,
    start: async () => {
      daemon = startDaemon({
        program: FRR.program,
        args: [
          ...['-n', '-S', '-l', NVA_ADDRESS, '-p', String(port), '-P', '0', '--log', 'stdout'],
          ...['-f', file('bgpd.conf'), '-i', file('bgpd.pid'), '--vty_socket', folder.path],
        ],
      });
      await untilReady(daemon, 'FRR to answer', () =>
        vtysh('show bgp summary').then(
          () => true,
          () => false,
        ),
      );
    },
    // Somebody's filter that lets nothing out: FRR takes our commands and sends nothing.
    breakConfig: async () => {
      const filters = peers.map(({ address }) => `neighbor ${address} route-map nothing out`);
      await vtysh('configure terminal', 'route-map nothing deny 10', 'exit', `router bgp ${NVA_ASN}`, ...filters);
    },
    mendConfig: async () => {
      const filters = peers.map(({ address }) => `no neighbor ${address} route-map nothing out`);
      await vtysh('configure terminal', `router bgp ${NVA_ASN}`, ...filters);
    },
    stop: async () => {
      await daemon?.stop();
      await folder.remove();
    },
  };
}

const answers = (program: string, args: readonly string[]): Promise<boolean> =>
  runCommand(program, args).then(
    () => true,
    () => false,
  );
