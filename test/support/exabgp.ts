// ExaBGP as a BGP peer in the foreground; it keeps no table, so ours is made from the messages it reports.
import { appendFile, chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, startDaemon, untilReady } from './daemon.ts';
import type { PeerDaemon, PeerDaemonOptions, PeerRoute } from './peer-daemon.ts';

export const EXABGP = { program: '/usr/sbin/exabgp' } as const;

export function exabgpConfig(options: PeerDaemonOptions, script: string): string {
  const { address, port, asn, routerId, peerAddress, peerAsn, holdSeconds } = options;
  return `process reporter {
  run ${script};
  encoder json;
}
neighbor ${peerAddress} {
  router-id ${routerId};
  local-address ${address};
  local-as ${asn};
  peer-as ${peerAsn};
  hold-time ${holdSeconds};
  passive true;
  listen ${port};
  capability { route-refresh enable; asn4 enable; }
  family { ipv4 unicast; }
  api {
    processes [ reporter ];
    neighbor-changes;
    receive { parsed; update; }
  }
}
`;
}

/** Reports go to one file; lines appended to another are ExaBGP's commands, also those from before `tail` ran. */
const script = (folder: string) => `#!/bin/sh
exec 3<&0
cat <&3 >${folder}/reports &
exec tail -n +1 -f ${folder}/commands
`;

interface Report {
  readonly type: string;
  readonly neighbor?: {
    readonly state?: string;
    readonly message?: {
      readonly update?: {
        readonly attribute?: {
          readonly 'as-path'?: readonly number[];
          readonly med?: number;
          readonly community?: readonly (readonly [number, number])[];
        };
        readonly announce?: Record<string, Record<string, readonly { readonly nlri?: string }[]>>;
        readonly withdraw?: Record<string, readonly { readonly nlri?: string }[]>;
      };
    };
  };
}

export async function startExabgpPeer(options: PeerDaemonOptions): Promise<PeerDaemon> {
  const folder = await makeFolder({ commands: '', reports: '' });
  const file = (name: string) => join(folder.path, name);
  await writeFile(file('reporter.sh'), script(folder.path));
  await chmod(file('reporter.sh'), 0o755);
  await writeFile(file('exabgp.conf'), exabgpConfig(options, file('reporter.sh')));
  const daemon = startDaemon({
    program: EXABGP.program,
    args: [file('exabgp.conf')],
    env: {
      'exabgp.daemon.user': 'root',
      'exabgp.api.cli': 'false',
      'exabgp.api.ack': 'false',
      'exabgp.cache.attributes': 'false',
      'exabgp.log.level': 'INFO',
    },
  });
  await untilReady(daemon, 'ExaBGP to load its configuration', () => daemon.log().includes('loaded new configuration'));
  const command = (text: string) => appendFile(file('commands'), `neighbor ${options.peerAddress} ${text}\n`);
  return {
    name: 'ExaBGP',
    daemon,
    routes: async () => replay(await readFile(file('reports'), 'utf8')),
    requestRefresh: () => command('announce route-refresh ipv4 unicast'),
    // It comes back by itself, and its subcode carries no text.
    shutdown: () => command('teardown 2'),
    stop: async () => {
      await daemon.stop();
      await folder.remove();
    },
  };
}

/** The table after all reports; a session that went down takes its routes along. */
function replay(reports: string): PeerRoute[] {
  const table = new Map<string, PeerRoute>();
  // The last line may be cut short.
  for (const line of reports.split('\n').slice(0, -1)) {
    // It writes control characters of a NOTIFICATION into its JSON as they are.
    const { type, neighbor } = JSON.parse(line.replace(/\p{Cc}/gu, ' ')) as Report;
    if (type === 'state' && neighbor?.state === 'down') table.clear();
    const update = neighbor?.message?.update;
    for (const { nlri } of update?.withdraw?.['ipv4 unicast'] ?? []) table.delete(nlri ?? '');
    for (const [nextHop, prefixes] of Object.entries(update?.announce?.['ipv4 unicast'] ?? {})) {
      const { 'as-path': asPath = [], med, community = [] } = update?.attribute ?? {};
      const communities = community.map(([a, b]) => `${a}:${b}`);
      for (const { nlri: prefix = '' } of prefixes) {
        table.set(prefix, { prefix, asPath, communities, nextHop, ...(med === undefined ? {} : { med }) });
      }
    }
  }
  return [...table.values()];
}
