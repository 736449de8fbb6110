// The tools that people install today for this job, each set up as its own documentation shows.

import { execFileSync } from 'node:child_process';
import { chmod, mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BIRD } from '../support/bird.ts';
import { type Daemon, freePort, makeFolder, runCommand, startDaemon, untilReady } from '../support/daemon.ts';
import { EXABGP } from '../support/exabgp.ts';
import { FRR } from '../support/frr.ts';
import { GOBGP } from '../support/gobgp.ts';
import { PEER_ASN, PREFIX, SPEAKER_ADDRESS, SPEAKER_ASN } from './agent-rig.ts';

export interface Contender {
  /** Announces with so many prepends, in the fastest way the tool has. Resolves when the tool says it is done. */
  command(prepends: number): Promise<void>;
  stop(): Promise<void>;
}

export interface ContenderKind {
  readonly name: string;
  readonly programs: readonly string[];
  /** Starts it against a peer's port; with `appPort` it checks that application and withdraws or prepends by itself. */
  readonly start: (peerPort: number, appPort?: number) => Promise<Contender>;
}

const PYTHON = '/usr/bin/python3';
/** A check loop as found in many a runbook: once a second, one failure is enough. Its commands are arguments. */
const CHECK_LOOP = `#!/bin/sh
state=
while :; do
  if curl -fso /dev/null -m 0.8 "http://127.0.0.1:$1/"; then new=up; else new=down; fi
  if [ $new != "$state" ]; then state=$new; . "$2/$new"; fi
  sleep 1
done
`;

async function startLoop(folder: string, appPort: number, up: string, down: string): Promise<Daemon> {
  await writeFile(join(folder, 'loop'), CHECK_LOOP, { mode: 0o755 });
  await writeFile(join(folder, 'up'), up);
  await writeFile(join(folder, 'down'), down);
  return startDaemon({ program: '/bin/sh', args: [join(folder, 'loop'), String(appPort), folder] });
}

const exabgpConfig = (peerPort: number, run: string) => `process checker { run ${run}; encoder text; }
neighbor 127.0.0.1 {
  router-id 10.0.0.1; local-address ${SPEAKER_ADDRESS}; local-as ${SPEAKER_ASN}; peer-as ${PEER_ASN};
  connect ${peerPort}; hold-time 180; family { ipv4 unicast; }
  api { processes [ checker ]; }
}
`;

/** ExaBGP with its own health check, or with a pipe for commands. */
const exabgp = (name: string, checkOptions: string): ContenderKind => ({
  name,
  programs: [EXABGP.program, PYTHON],
  start: async (peerPort, appPort) => {
    const folder = await makeFolder({});
    const fifo = join(folder.path, 'commands');
    execFileSync('mkfifo', [fifo]);
    const pipe = await open(fifo, 'r+');
    const check = `${PYTHON} -m exabgp healthcheck --no-syslog --no-ip-setup --no-ack --withdraw-on-down --ip ${PREFIX} ${checkOptions} --cmd "curl -fso /dev/null http://127.0.0.1:${appPort}/"`;
    const run = join(folder.path, 'run');
    await writeFile(run, `#!/bin/sh\nexec ${appPort === undefined ? `cat ${fifo}` : check}\n`);
    await chmod(run, 0o755);
    await writeFile(join(folder.path, 'conf'), exabgpConfig(peerPort, run));
    const daemon = startDaemon({
      program: EXABGP.program,
      args: [join(folder.path, 'conf')],
      env: { 'exabgp.daemon.user': 'root', 'exabgp.api.cli': 'false', 'exabgp.api.ack': 'false' },
    });
    return {
      command: async (prepends) => {
        const path = [SPEAKER_ASN, ...Array<number>(prepends).fill(64500)].join(' ');
        await pipe.write(`announce route ${PREFIX} next-hop 10.1.1.4 as-path [ ${path} ]\n`);
      },
      stop: async () => {
        await daemon.stop();
        await pipe.close();
        await folder.remove();
      },
    };
  },
});

const bird: ContenderKind = {
  name: 'BIRD 2, check loop 1 s',
  programs: [BIRD.program, BIRD.control],
  start: async (peerPort, appPort) => {
    const folder = await makeFolder({});
    const file = (name: string) => join(folder.path, name);
    const routes = (prepends: number) =>
      `protocol static anycast { ipv4; route ${PREFIX} blackhole { ${'bgp_path.prepend(64500); '.repeat(prepends)}}; }\n`;
    await writeFile(file('routes.conf'), routes(0));
    await writeFile(
      file('bird.conf'),
      `router id 10.0.0.1;
include "${file('routes.conf')}";
protocol device { }
protocol bgp upstream { local ${SPEAKER_ADDRESS} port ${await freePort(SPEAKER_ADDRESS)} as ${SPEAKER_ASN}; neighbor 127.0.0.1 port ${peerPort} as ${PEER_ASN};
  multihop; connect delay time 1; ipv4 { import none; export all; }; }
`,
    );
    const socket = file('ctl');
    const daemon = startDaemon({ program: BIRD.program, args: ['-f', '-c', file('bird.conf'), '-s', socket] });
    await untilReady(daemon, 'BIRD to answer', () =>
      runCommand(BIRD.control, ['-s', socket, 'show', 'status']).then(
        () => true,
        () => false,
      ),
    );
    const birdc = (verb: string) => `birdc -s ${socket} ${verb} anycast >/dev/null\n`;
    const loop =
      appPort === undefined ? undefined : await startLoop(folder.path, appPort, birdc('enable'), birdc('disable'));
    return {
      command: async (prepends) => {
        await writeFile(file('routes.conf'), routes(prepends));
        await runCommand(BIRD.control, ['-s', socket, 'configure']);
      },
      stop: async () => {
        await loop?.stop('SIGKILL');
        await daemon.stop();
        await folder.remove();
      },
    };
  },
};

const frr: ContenderKind = {
  name: 'FRR, route-map, check loop 1 s',
  programs: [FRR.program, FRR.control],
  start: async (peerPort, appPort) => {
    const folder = await makeFolder({ 'vtysh.conf': '' });
    const file = (name: string) => join(folder.path, name);
    const n = 'neighbor 127.0.0.1';
    await writeFile(
      file('bgpd.conf'),
      `router bgp ${SPEAKER_ASN}
 bgp router-id 10.0.0.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 ${n} remote-as ${PEER_ASN}
 ${n} port ${peerPort}
 ${n} ebgp-multihop 255
 ${n} update-source ${SPEAKER_ADDRESS}
 ${n} timers connect 1
 address-family ipv4 unicast
  network ${PREFIX}
  ${n} route-map out out
 exit-address-family
route-map out permit 10
`,
    );
    await chmod(folder.path, 0o755);
    const daemon = startDaemon({
      program: FRR.program,
      args: [
        ...['-n', '-S', '-l', SPEAKER_ADDRESS, '-p', String(await freePort(SPEAKER_ADDRESS)), '-P', '0'],
        ...['-f', file('bgpd.conf'), '-i', file('pid'), '--vty_socket', folder.path, '--log', 'stdout'],
      ],
    });
    const flags = ['--vty_socket', folder.path, '--config_dir', folder.path];
    const words = (prepends: number) => [
      'configure terminal',
      'route-map out permit 10',
      prepends === 0
        ? 'no set as-path prepend'
        : `set as-path prepend ${Array<number>(prepends).fill(64500).join(' ')}`,
    ];
    await untilReady(daemon, 'FRR to answer', () =>
      runCommand(FRR.control, [...flags, '-c', 'show bgp summary']).then(
        () => true,
        () => false,
      ),
    );
    const vtysh = (prepends: number) =>
      `${FRR.control} ${flags.join(' ')} ${words(prepends)
        .map((word) => `-c '${word}'`)
        .join(' ')} >/dev/null\n`;
    const loop = appPort === undefined ? undefined : await startLoop(folder.path, appPort, vtysh(0), vtysh(6));
    return {
      command: async (prepends) => {
        await runCommand(FRR.control, [...flags, ...words(prepends).flatMap((word) => ['-c', word])]);
      },
      stop: async () => {
        await loop?.stop('SIGKILL');
        await daemon.stop();
        await folder.remove();
      },
    };
  },
};

const gobgp: ContenderKind = {
  name: 'GoBGP, CLI, check loop 1 s',
  programs: [GOBGP.program, GOBGP.control],
  start: async (peerPort, appPort) => {
    const folder = await makeFolder({});
    const apiPort = String(await freePort());
    await mkdir(folder.path, { recursive: true });
    await writeFile(
      join(folder.path, 'gobgpd.toml'),
      `[global.config]
  as = ${SPEAKER_ASN}
  router-id = "10.0.0.1"
  port = -1
[[neighbors]]
  [neighbors.config]
    neighbor-address = "127.0.0.1"
    peer-as = ${PEER_ASN}
  [neighbors.transport.config]
    local-address = "${SPEAKER_ADDRESS}"
    remote-port = ${peerPort}
  [neighbors.ebgp-multihop.config]
    enabled = true
    multihop-ttl = 255
  [neighbors.timers.config]
    connect-retry = 1
`,
    );
    const daemon = startDaemon({
      program: GOBGP.program,
      args: ['-f', join(folder.path, 'gobgpd.toml'), '--api-hosts', `127.0.0.1:${apiPort}`, '-p'],
    });
    await untilReady(daemon, 'GoBGP to answer', () =>
      runCommand(GOBGP.control, ['-p', apiPort, 'neighbor']).then(
        () => true,
        () => false,
      ),
    );
    const words = (verb: string, prepends: number) => [
      ...['-p', apiPort, 'global', 'rib', verb, PREFIX],
      ...(prepends === 0 || verb === 'del' ? [] : ['aspath', Array<number>(prepends).fill(64500).join(',')]),
    ];
    const cli = (verb: string) => `${GOBGP.control} ${words(verb, 0).join(' ')}\n`;
    const loop = appPort === undefined ? undefined : await startLoop(folder.path, appPort, cli('add'), cli('del'));
    return {
      command: async (prepends) => {
        await runCommand(GOBGP.control, words('add', prepends));
      },
      stop: async () => {
        await loop?.stop('SIGKILL');
        await daemon.stop();
        await folder.remove();
      },
    };
  },
};

export const EXABGP_DEFAULT = 'ExaBGP healthcheck, defaults';
export const CONTENDERS: readonly ContenderKind[] = [
  exabgp(EXABGP_DEFAULT, ''),
  exabgp('ExaBGP healthcheck, 1 s x 3', '--interval 1 --fast-interval 1 --timeout 1 --rise 3 --fall 3'),
  bird,
  frr,
  gobgp,
];
