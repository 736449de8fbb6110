// Reads what BIRD answers on its control socket: reply codes, sessions, exported routes.
// It must never know sockets or the time.
import { SESSION_STATES, type SessionState } from '../../shared/report.ts';
import { BGP_PORT } from '../bgp/iana.ts';
import type { ExportedRoute } from './route-daemon.ts';

export interface BirdReply {
  /** Code of the last line: 0xxx done, 8xxx refused at run time, 9xxx not understood. */
  readonly code: number;
  readonly lines: readonly string[];
}

export interface BirdSession {
  readonly protocol: string;
  readonly address: string;
  readonly port: number;
  readonly state: SessionState;
  readonly holdSeconds: number | null;
  /** Routes exported to this peer, ours and others'. */
  readonly exported: number;
}

const CODED = /^(\d{4})([ -])(.*)$/;

/** The first complete reply in what came so far, and the text after it; undefined while it is incomplete. */
export function takeReply(text: string): { readonly reply: BirdReply; readonly rest: string } | undefined {
  const lines: string[] = [];
  let at = 0;
  for (;;) {
    const end = text.indexOf('\n', at);
    if (end < 0) return undefined;
    const line = text.slice(at, end);
    at = end + 1;
    const coded = CODED.exec(line);
    // A line without a code goes on under the code of the line before.
    lines.push(coded?.[3] ?? line.slice(1));
    if (coded?.[2] === ' ') return { reply: { code: Number(coded[1]), lines }, rest: text.slice(at) };
  }
}

/** BGP protocols of `show protocols all`. */
export function readSessions(lines: readonly string[]): BirdSession[] {
  const blocks: string[][] = [];
  for (const line of lines) {
    if (/^\S+ +\S+ +\S+ +\S+/.test(line)) blocks.push([]);
    blocks.at(-1)?.push(line);
  }
  return blocks.flatMap((block) => readSession(block) ?? []);
}

function readSession(block: readonly string[]): BirdSession | undefined {
  const [protocol, kind] = block[0]?.split(/ +/) ?? [];
  const text = block.join('\n');
  const field = (name: string) => new RegExp(`^ *${name}: +(\\S+)`, 'm').exec(text)?.[1];
  const address = field('Neighbor address')?.split('%')[0];
  if (protocol === undefined || kind !== 'BGP' || address === undefined) return undefined;
  const state = SESSION_STATES.find((known) => known === field('BGP state')) ?? 'Idle';
  const hold = /Hold timer: +[\d.]+\/(\d+)/.exec(text)?.[1];
  return {
    protocol,
    address,
    port: Number(field('Neighbor port') ?? BGP_PORT),
    state,
    holdSeconds: state === 'Established' ? Number(hold ?? 0) : null,
    exported: Number(/Routes: +.*?(\d+) exported/.exec(text)?.[1] ?? 0),
  };
}

/** Routes of `show route ... all`. */
export function readRoutes(lines: readonly string[]): ExportedRoute[] {
  const blocks = lines.join('\n').split(/\n(?=\d+\.\d+\.\d+\.\d+\/\d+ )/);
  return blocks.flatMap((block) => {
    const prefix = /^(\d+\.\d+\.\d+\.\d+\/\d+) /.exec(block)?.[1];
    if (prefix === undefined) return [];
    const attribute = (name: string) => new RegExp(`BGP\\.${name}: ?(.*)`).exec(block)?.[1] ?? '';
    const med = attribute('med');
    return [
      {
        prefix,
        asPath: attribute('as_path').split(' ').filter(Boolean).map(Number),
        communities: [...attribute('community').matchAll(/\((\d+),(\d+)\)/g)].map(([, a, b]) => `${a}:${b}`),
        med: med === '' ? null : Number(med),
      },
    ];
  });
}
