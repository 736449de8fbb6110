// Drives a BIRD 2 that somebody else configured: our own include file, checked before it counts, seen in BIRD's own table.
//
//   write include -> configure check --refused--> old include back, OperatingError
//                          |
//                      configure -> enable anycast_agent -> show route export
//
// BIRD's configuration has to include our file by a pattern, so that BIRD also starts without it, and to export our
// protocol (MED is only sent to another AS if the export filter sets it):
//   include "/run/anycast-agent/bird*.conf";
//   export filter { if proto = "anycast_agent" then { if defined(bgp_med) then bgp_med = bgp_med; accept; } reject; };
// and must keep it from the kernel: `export where proto != "anycast_agent"` in `protocol kernel`.
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { OperatingError } from '../../shared/errors.ts';
import type { Route } from '../bgp/messages.ts';
import { type BirdReply, type BirdSession, readRoutes, readSessions } from './bird-answers.ts';
import { BIRD_PROTOCOL, renderBirdConfig } from './bird-config.ts';
import { type AskBird, withBird } from './bird-control.ts';
import { plainPath } from './daemon-text.ts';
import type { DaemonPeer, LastWill, RouteDaemon } from './route-daemon.ts';

export interface BirdOptions {
  /** BIRD's control socket. */
  readonly socket: string;
  /** The file that is ours. Best on a file system that a reboot empties. */
  readonly include: string;
  /** BIRD's table the routes go to. */
  readonly table: string;
  /** birdc, for the last will. */
  readonly control: string;
  readonly peerRouteLimit: number;
}

/** Reply codes of BIRD's doc/reply_codes. */
const REPLY = {
  configurationOk: 20,
  reconfigured: [3, 4, 5, 18],
} as const;

/**
 * Empties the include, then disables the protocol: no file is parsed for that. The exit status of birdc says nothing,
 * its words do. A few attempts, because BIRD may just be starting.
 */
const LAST_WILL = `: >"$1"
attempt=0
while [ $attempt -lt 30 ]; do
  case $("$2" -s "$3" disable ${BIRD_PROTOCOL} 2>&1) in *disabled*|*'syntax error'*) exit 0 ;; esac
  attempt=$((attempt + 1))
  sleep 0.1
done
exit 1
`;

/** Commands and files of a BIRD. Throws RangeError for paths that no command could carry. */
export function createBird(options: BirdOptions): RouteDaemon {
  const include = plainPath(options.include);
  let sessions: readonly BirdSession[] = [];
  return {
    name: 'bird',
    lookMs: 1000,
    lastWill: lastWill(options),
    prefixesAtRisk: () => [],
    apply: (routes) => withBird(options.socket, (ask) => apply(ask, routes, include, options.table)),
    look: (addresses) =>
      withBird(options.socket, async (ask) => {
        const all = readSessions((await ask('show protocols all')).lines);
        sessions = all.filter(({ address }) => addresses.includes(address));
        const peers: DaemonPeer[] = [];
        for (const session of sessions) peers.push(await lookAt(ask, session));
        return peers;
      }),
    repeat: async (address) => {
      for (const session of sessions.filter((known) => known.address === address)) {
        await withBird(options.socket, (ask) => repeat(ask, session, options.peerRouteLimit));
      }
    },
  };
}

const lastWill = ({ include, control, socket }: BirdOptions): LastWill => ({
  script: LAST_WILL,
  argv: [include, control, socket],
});

async function apply(ask: AskBird, routes: readonly Route[], include: string, table: string): Promise<void> {
  // A withdrawal parses nothing, so that nobody's mistake in BIRD's configuration can hold it up.
  if (routes.length === 0) await ask(`disable ${BIRD_PROTOCOL}`);
  const before = await readOrEmpty(include);
  await write(include, renderBirdConfig(routes, table));
  const checked = await ask('configure check');
  const done = checked.code === REPLY.configurationOk ? await ask('configure') : checked;
  if (!REPLY.reconfigured.some((code) => code === done.code)) {
    // What is withdrawn stays out of the file: a restarted BIRD may not bring it back.
    if (routes.length > 0) await write(include, before);
    throw refused('refuses the configuration', done);
  }
  if (routes.length === 0) return;
  const enabled = await ask(`enable ${BIRD_PROTOCOL}`);
  if (enabled.code !== 0) throw refused(`does not include ${include}`, enabled);
}

const refused = (what: string, { lines }: BirdReply): OperatingError =>
  new OperatingError('bird-refused', `BIRD ${what}: ${lines.join(' ').slice(0, 400)}`, { retryable: true });

async function lookAt(ask: AskBird, session: BirdSession): Promise<DaemonPeer> {
  const { protocol, address, port, state, holdSeconds } = session;
  if (state !== 'Established') return { address, port, state, holdSeconds, routes: [] };
  const shown = await ask(`show route export ${protocol} where proto = "${BIRD_PROTOCOL}" all`);
  return { address, port, state, holdSeconds, routes: readRoutes(shown.lines) };
}

/** BIRD repeats everything it exports; the peer counts that on top of what it has. */
async function repeat(ask: AskBird, { protocol, exported, state }: BirdSession, limit: number): Promise<void> {
  if (state !== 'Established' || exported * 2 > limit) return;
  const { code, lines } = await ask(`reload out ${protocol}`);
  if (code >= 8000) throw refused(`does not repeat its routes to ${protocol}`, { code, lines });
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return renderBirdConfig([], '');
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    // BIRD runs as somebody else. Not synced: after a crash of the machine an old file would be worse than none.
    await writeFileAtomic(path, text, { mode: 0o644, fsync: false });
  } catch (cause) {
    throw new OperatingError('bird-include', `${path}: ${String(cause)}`, { retryable: true, cause });
  }
}
