// GoBGP as a BGP peer in the foreground, asked through its gRPC command.
import { join } from 'node:path';
import { freePort, makeFolder, runCommand, startDaemon, untilReady } from './daemon.ts';
import type { PeerDaemon, PeerDaemonOptions, PeerRoute } from './peer-daemon.ts';

export const GOBGP = { program: '/usr/bin/gobgpd', control: '/usr/bin/gobgp' } as const;

export function gobgpConfig(options: PeerDaemonOptions): string {
  const { address, port, asn, routerId, peerAddress, peerAsn, holdSeconds } = options;
  return `[global.config]
  as = ${asn}
  router-id = "${routerId}"
  port = ${port}
  local-address-list = ["${address}"]
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${peerAddress}"
    peer-as = ${peerAsn}
  [neighbors.transport.config]
    passive-mode = true
  [neighbors.ebgp-multihop.config]
    enabled = true
    multihop-ttl = 255
  [neighbors.timers.config]
    hold-time = ${holdSeconds}
    keepalive-interval = ${Math.floor(holdSeconds / 3)}
    idle-hold-time-after-reset = 1
`;
}

interface GobgpAttribute {
  readonly type: number;
  readonly as_paths?: readonly { readonly asns: readonly number[] }[];
  readonly communities?: readonly number[];
  readonly metric?: number;
  readonly nexthop?: string;
}

export async function startGobgpPeer(options: PeerDaemonOptions): Promise<PeerDaemon> {
  const folder = await makeFolder({ 'gobgpd.toml': gobgpConfig(options) });
  const apiPort = await freePort();
  const daemon = startDaemon({
    program: GOBGP.program,
    args: ['-f', join(folder.path, 'gobgpd.toml'), '--api-hosts', `127.0.0.1:${apiPort}`, '-l', 'debug', '-p'],
  });
  const gobgp = (...words: string[]) => runCommand(GOBGP.control, ['-p', String(apiPort), ...words]);
  await untilReady(daemon, 'GoBGP to answer', () =>
    gobgp('neighbor').then(
      (text) => text.includes(options.peerAddress),
      () => false,
    ),
  );
  const neighbor = (...words: string[]) => gobgp('neighbor', options.peerAddress, ...words);
  return {
    name: 'GoBGP',
    daemon,
    routes: async () => parseRoutes(await gobgp('global', 'rib', '-j')),
    shutdown: async (text) => {
      await neighbor('shutdown', '--reason', text);
    },
    enable: async () => {
      await neighbor('enable');
    },
    stop: async () => {
      await daemon.stop();
      await folder.remove();
    },
  };
}

function parseRoutes(text: string): PeerRoute[] {
  const table = JSON.parse(text) as Record<string, { readonly attrs: readonly GobgpAttribute[] }[]>;
  return Object.entries(table).map(([prefix, [path]]) => {
    const attribute = (type: number) => path?.attrs.find((candidate) => candidate.type === type);
    const med = attribute(4)?.metric;
    return {
      prefix,
      asPath: attribute(2)?.as_paths?.flatMap(({ asns }) => asns) ?? [],
      communities: (attribute(8)?.communities ?? []).map((community) => `${community >>> 16}:${community & 0xffff}`),
      ...(med === undefined ? {} : { med }),
    };
  });
}
