// Drives an FRR that somebody else configured, through vtysh: networks with a route-map each, seen in what it advertises.
//
// FRR needs the neighbours and lets our networks out; without zebra or the vip on an interface also
// `no bgp network import-check`. Nothing is written to its start-up configuration: FRR restarted without an agent
// announces nothing of ours.
import { execFile } from 'node:child_process';
import { OperatingError } from '../../shared/errors.ts';
import { plainText } from './daemon-text.ts';
import { readPeer, splitDocuments } from './frr-answers.ts';
import { type FrrHoldings, planChange, readHoldings } from './frr-commands.ts';
import type { DaemonPeer, RouteDaemon } from './route-daemon.ts';

export interface FrrOptions {
  readonly vtysh: string;
  /** Folder of the daemons' vty sockets; FRR's own when absent. */
  readonly vtySockets?: string | undefined;
  readonly asn: number;
}

/** FRR hangs when it is very busy; the next look comes soon. */
const VTYSH_MS_MAX = 8000;
const OUTPUT_BYTES_MAX = 8 * 1024 * 1024;
const REFUSAL_CHARACTERS_MAX = 400;

/**
 * All prefixes in one vtysh, and one by one if that fails (vtysh stops at a network that is not there). Twice, because a
 * vtysh of the dead agent may still be at work the first time.
 */
const LAST_WILL = `asn=$1
shift
withdraw() {
  prefixes=$1
  shift
  for prefix in $prefixes; do set -- "$@" -c "no network $prefix"; done
  "$@"
}
for attempt in 1 2; do
  withdraw "$last" "$@" -c 'configure terminal' -c "router bgp $asn" -c 'address-family ipv4 unicast' ||
    for prefix in $last; do
      withdraw "$prefix" "$@" -c 'configure terminal' -c "router bgp $asn" -c 'address-family ipv4 unicast'
    done
  [ $attempt = 1 ] && sleep 1
done
exit 0
`;

/** Commands of an FRR. */
export function createFrr(options: FrrOptions): RouteDaemon {
  // What FRR holds of ours; undefined while that is in doubt.
  let held: FrrHoldings | undefined;
  const ours = new Set<string>();
  return {
    name: 'frr',
    // A vtysh costs 50 ms of processor time.
    lookMs: 2000,
    lastWill: { script: LAST_WILL, argv: [String(options.asn), ...argvOf(options)] },
    prefixesAtRisk: (routes) => [...new Set([...routes, ...(held?.networks ?? [])].map(({ prefix }) => prefix))],
    apply: async (routes, isRepair) => {
      const present = isRepair || held === undefined ? await readHeld(options) : held;
      for (const { prefix } of [...present.networks, ...routes]) ours.add(prefix);
      const { commands, after } = planChange(options.asn, routes, present);
      held = undefined;
      if (commands.length > 0) await vtysh(options, commands);
      held = after;
    },
    look: (addresses) => lookAt(options, addresses, (prefix) => ours.has(prefix)),
    repeat: async (address) => {
      await vtysh(options, [`clear bgp ipv4 unicast ${address} soft out`]);
    },
  };
}

/** Two documents per peer, from one vtysh. */
async function lookAt(
  options: FrrOptions,
  addresses: readonly string[],
  isOurs: (prefix: string) => boolean,
): Promise<DaemonPeer[]> {
  const commands = addresses.flatMap((address) => [
    `show bgp neighbors ${address} json`,
    `show bgp ipv4 unicast neighbors ${address} advertised-routes json`,
  ]);
  const documents = splitDocuments(await vtysh(options, commands));
  if (documents.length !== commands.length) {
    const what = `${documents.length} answers to ${commands.length} questions`;
    throw new OperatingError('frr-not-understood', `FRR: ${what}`, { retryable: true });
  }
  return addresses.flatMap((address, i) => readPeer(address, documents[2 * i], documents[2 * i + 1], isOurs) ?? []);
}

const argvOf = ({ vtysh: program, vtySockets }: FrrOptions): string[] => [
  program,
  '-d',
  'bgpd',
  ...(vtySockets === undefined ? [] : ['--vty_socket', vtySockets, '--config_dir', vtySockets]),
];

/** One vtysh without a shell. It stops at the first command that FRR refuses, and says why on its standard output. */
function vtysh(options: FrrOptions, commands: readonly string[]): Promise<string> {
  const [program = '', ...flags] = argvOf(options);
  const words = [...flags, ...commands.flatMap((command) => ['-c', plainText(command)])];
  return new Promise((resolve, reject) => {
    const bounds = { timeout: VTYSH_MS_MAX, killSignal: 'SIGKILL', maxBuffer: OUTPUT_BYTES_MAX } as const;
    execFile(program, words, bounds, (cause, stdout, stderr) => {
      if (cause === null) return resolve(stdout);
      const why = `${stderr} ${stdout}`.trim().slice(0, REFUSAL_CHARACTERS_MAX) || cause.message.slice(0, 100);
      reject(new OperatingError('frr-refused', `FRR: ${why}`, { retryable: true, cause }));
    });
  });
}

const readHeld = async (options: FrrOptions): Promise<FrrHoldings> =>
  readHoldings(await vtysh(options, ['show running-config bgpd']));
