// BIRD 2 as a BGP peer in the foreground, asked through its control socket.
import { join } from 'node:path';
import { makeFolder, runCommand, startDaemon, untilReady } from './daemon.ts';
import type { PeerDaemon, PeerDaemonOptions, PeerRoute } from './peer-daemon.ts';

export const BIRD = { program: '/usr/sbin/bird', control: '/usr/sbin/birdc' } as const;

/** Configuration of a BIRD that only listens and learns; `session` is the protocol's name. */
export function birdConfig(options: PeerDaemonOptions): string {
  const { address, port, asn, routerId, peerAddress, peerAsn, holdSeconds } = options;
  return `log stderr all;
router id ${routerId};
protocol device { }
protocol bgp session {
  debug { events, states };
  local ${address} port ${port} as ${asn};
  neighbor ${peerAddress} as ${peerAsn};
  strict bind yes;
  multihop;
  passive yes;
  hold time ${holdSeconds};
  connect delay time 1;
  error wait time 1, 2;
  enable extended messages no;
  ipv4 { import all; export none; };
}
`;
}

/** Starts BIRD with any configuration; `birdc` runs a control command. */
export async function startBird(config: string, prefix: readonly string[] = []) {
  const folder = await makeFolder({ 'bird.conf': config });
  const socket = join(folder.path, 'bird.ctl');
  const daemon = startDaemon({
    program: BIRD.program,
    args: ['-f', '-c', join(folder.path, 'bird.conf'), '-s', socket, '-P', join(folder.path, 'bird.pid')],
    prefix,
  });
  const birdc = (command: string) => runCommand(BIRD.control, ['-s', socket, '-r', ...command.split(' ')]);
  const control = (...words: string[]) => runCommand(BIRD.control, ['-s', socket, ...words]);
  await untilReady(daemon, 'BIRD to answer', () =>
    birdc('show status').then(
      () => true,
      () => false,
    ),
  );
  return {
    daemon,
    control,
    stop: async () => {
      await daemon.stop();
      await folder.remove();
    },
  };
}

/** BIRD as the peer of a session under test. */
export async function startBirdPeer(options: PeerDaemonOptions): Promise<PeerDaemon> {
  const { daemon, control, stop } = await startBird(birdConfig(options));
  return {
    name: 'BIRD',
    daemon,
    stop,
    routes: async () => parseRoutes(await control('show', 'route', 'all')),
    withdrawals: async () => {
      const text = await control('show', 'protocols', 'all', 'session');
      return Number(/Import withdraws:\s+(\d+)/.exec(text)?.[1] ?? Number.NaN);
    },
    updatesIn: async () => {
      const text = await control('show', 'protocols', 'all', 'session');
      return Number(/Import updates:\s+(\d+)/.exec(text)?.[1] ?? Number.NaN);
    },
    requestRefresh: async () => {
      await control('reload', 'in', 'session');
    },
    shutdown: async (text) => {
      await control('disable', 'session', `"${text}"`);
    },
    enable: async () => {
      await control('enable', 'session');
    },
  };
}

/** Routes of `show route all`: a line with the prefix, then one line per attribute. */
function parseRoutes(text: string): PeerRoute[] {
  const blocks = text.split(/\n(?=\d+\.\d+\.\d+\.\d+\/\d+)/).filter((block) => /^\d+\./.test(block));
  return blocks.map((block) => {
    const attribute = (name: string) => new RegExp(`BGP\\.${name}: ?(.*)`).exec(block)?.[1] ?? '';
    const med = attribute('med');
    return {
      prefix: /^\S+/.exec(block)?.[0] ?? '',
      asPath: attribute('as_path').split(' ').filter(Boolean).map(Number),
      communities: [...attribute('community').matchAll(/\((\d+),(\d+)\)/g)].map(([, a, b]) => `${a}:${b}`),
      nextHop: attribute('next_hop'),
      ...(med === '' ? {} : { med: Number(med) }),
    };
  });
}
