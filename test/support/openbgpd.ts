// OpenBGPD as a BGP peer in the foreground, asked through bgpctl.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, runCommand, startDaemon, untilReady } from './daemon.ts';
import type { PeerDaemon, PeerDaemonOptions, PeerRoute } from './peer-daemon.ts';

/** The full path: FRR installs another bgpd. */
export const OPENBGPD = { program: '/usr/sbin/bgpd', control: '/usr/sbin/bgpctl' } as const;

/** One statement a line, or OpenBGPD refuses the file. */
export function openbgpdConfig(options: PeerDaemonOptions, socket: string): string {
  const { address, port, asn, routerId, peerAddress, peerAsn, holdSeconds } = options;
  return `AS ${asn}
router-id ${routerId}
listen on ${address} port ${port}
socket "${socket}"
fib-update no
holdtime ${holdSeconds}
log updates
neighbor ${peerAddress} {
	remote-as ${peerAsn}
	local-address ${address}
	multihop 255
	passive
	enforce neighbor-as no
}
allow from any
`;
}

interface OpenbgpdRoute {
  readonly prefix: string;
  readonly aspath: string;
  readonly metric?: number;
  readonly communities?: readonly string[];
}

export async function startOpenbgpdPeer(options: PeerDaemonOptions): Promise<PeerDaemon> {
  // Its privilege separation wants this folder, which the package's service would make.
  await mkdir('/run/openbgpd', { recursive: true });
  const folder = await makeFolder({});
  const socket = join(folder.path, 'bgpd.sock');
  const files = await makeFolder({ 'bgpd.conf': openbgpdConfig(options, socket) });
  const daemon = startDaemon({ program: OPENBGPD.program, args: ['-d', '-v', '-f', join(files.path, 'bgpd.conf')] });
  const bgpctl = (...words: string[]) => runCommand(OPENBGPD.control, ['-s', socket, ...words]);
  await untilReady(daemon, 'OpenBGPD to answer', () =>
    bgpctl('show').then(
      (text) => text.includes(options.peerAddress),
      () => false,
    ),
  );
  const neighbor = (...words: string[]) => bgpctl('neighbor', options.peerAddress, ...words);
  return {
    name: 'OpenBGPD',
    daemon,
    routes: async () => parseRoutes(await bgpctl('-j', 'show', 'rib', 'detail')),
    requestRefresh: async () => {
      await neighbor('refresh');
    },
    shutdown: async (text) => {
      await neighbor('down', text);
    },
    enable: async () => {
      await neighbor('up');
    },
    stop: async () => {
      await daemon.stop();
      await folder.remove();
      await files.remove();
    },
  };
}

function parseRoutes(text: string): PeerRoute[] {
  const { rib = [] } = JSON.parse(text) as { rib?: readonly OpenbgpdRoute[] };
  return rib.map(({ prefix, aspath, metric, communities = [] }) => ({
    prefix,
    asPath: aspath.split(' ').filter(Boolean).map(Number),
    communities: communities.map((community) => (community === 'NO_ADVERTISE' ? '65535:65282' : community)),
    ...(metric === undefined ? {} : { med: metric }),
  }));
}
