// FRR's bgpd as a BGP peer in the foreground, without zebra, asked through vtysh.
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, runCommand, startDaemon, untilReady } from './daemon.ts';
import type { PeerDaemon, PeerDaemonOptions, PeerRoute } from './peer-daemon.ts';

/** The full path: OpenBGPD installs another bgpd. */
export const FRR = { program: '/usr/lib/frr/bgpd', control: '/usr/bin/vtysh' } as const;

export function frrConfig(options: PeerDaemonOptions): string {
  const { asn, routerId, peerAddress, peerAsn, holdSeconds } = options;
  return `log stdout debugging
debug bgp neighbor-events
router bgp ${asn}
 bgp router-id ${routerId}
 bgp log-neighbor-changes
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor ${peerAddress} remote-as ${peerAsn}
 neighbor ${peerAddress} ebgp-multihop 255
 neighbor ${peerAddress} passive
 neighbor ${peerAddress} timers ${Math.floor(holdSeconds / 3)} ${holdSeconds}
`;
}

interface FrrPath {
  readonly aspath?: { readonly segments?: readonly { readonly type: string; readonly list: readonly number[] }[] };
  readonly path?: string;
  readonly community?: { readonly string: string };
  readonly metric?: number;
  readonly nexthops?: readonly { readonly ip: string }[];
}

export async function startFrrPeer(options: PeerDaemonOptions): Promise<PeerDaemon> {
  const folder = await makeFolder({ 'bgpd.conf': frrConfig(options), 'vtysh.conf': '' });
  await chmod(folder.path, 0o755);
  const daemon = startDaemon({
    program: FRR.program,
    args: [
      '-n',
      '-S',
      ...['-l', options.address],
      ...['-p', String(options.port)],
      ...['-f', join(folder.path, 'bgpd.conf')],
      ...['-i', join(folder.path, 'bgpd.pid')],
      ...['--vty_socket', folder.path],
      ...['-P', '0'],
      ...['--log', 'stdout'],
    ],
  });
  const vtysh = (...commands: string[]) =>
    runCommand(FRR.control, [
      '--vty_socket',
      folder.path,
      '--config_dir',
      folder.path,
      ...commands.flatMap((command) => ['-c', command]),
    ]);
  const configure = (line: string) => vtysh('configure terminal', `router bgp ${options.asn}`, line);
  const neighbor = `neighbor ${options.peerAddress}`;
  await untilReady(daemon, 'FRR to answer', () =>
    vtysh('show bgp summary').then(
      (text) => text.includes(options.peerAddress),
      () => false,
    ),
  );
  return {
    name: 'FRR',
    daemon,
    routes: async () => readRoutes(vtysh),
    requestRefresh: async () => {
      await vtysh(`clear bgp ${options.peerAddress} soft in`);
    },
    shutdown: async (text) => {
      await configure(`${neighbor} shutdown message ${text}`);
    },
    enable: async () => {
      await configure(`no ${neighbor} shutdown`);
    },
    stop: async () => {
      await daemon.stop();
      await folder.remove();
    },
  };
}

/** The brief table has the path and the MED, the details of a few prefixes the communities. */
async function readRoutes(vtysh: (...commands: string[]) => Promise<string>): Promise<PeerRoute[]> {
  const table = JSON.parse(await vtysh('show bgp ipv4 unicast json')) as { routes?: Record<string, FrrPath[]> };
  const prefixes = Object.entries(table.routes ?? {});
  return Promise.all(
    prefixes.map(async ([prefix, [path]]) => {
      const route = { prefix, asPath: numbersOf(path?.path), communities: [] as string[] };
      if (prefixes.length > 10) return route;
      const detail = JSON.parse(await vtysh(`show bgp ipv4 unicast ${prefix} json`)) as { paths?: FrrPath[] };
      const found = detail.paths?.[0];
      return {
        ...route,
        communities: (found?.community?.string ?? '').split(' ').filter(Boolean).map(plainCommunity),
        ...(found?.metric === undefined ? {} : { med: found.metric }),
        ...(found?.nexthops?.[0] === undefined ? {} : { nextHop: found.nexthops[0].ip }),
      };
    }),
  );
}

function numbersOf(path = ''): number[] {
  return path.split(' ').filter(Boolean).map(Number);
}

/** FRR writes well-known communities in words. */
function plainCommunity(text: string): string {
  return text === 'noAdvertise' || text === 'no-advertise' ? '65535:65282' : text;
}
