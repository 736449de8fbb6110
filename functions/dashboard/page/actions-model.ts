// What a person can do to a vip: the request of each action, its equal on the command line, and why it cannot be done now. Pure.
import type { Status, StatusVip } from '../../../shared/api.ts';
import { type Identity, OPERATE } from './access.ts';
import { underWay } from './fleet-model.ts';
import { shellWord } from './text.ts';

export const ACTIONS = ['failover', 'failback', 'drain', 'undrain', 'hold', 'drill'] as const;
export type Action = (typeof ACTIONS)[number];

export const ACTION_TITLES: Readonly<Record<Action, string>> = {
  failover: 'Fail over',
  failback: 'Fail back',
  drain: 'Drain',
  undrain: 'Undrain',
  hold: 'Hold',
  drill: 'Drill',
};

/** What was filled in. */
export interface Wish {
  readonly action: Action;
  readonly vip: string;
  /** Target of a failover or drill, region of a drain. Empty: the control plane chooses. */
  readonly region: string;
  readonly reason: string;
  /** Hold and drill. */
  readonly seconds: number;
  /** Guards to override, by name. */
  readonly force?: readonly string[];
  /** Failover and failback: not before this time (epoch ms). */
  readonly atMs?: number | undefined;
  /** Drain and undrain: every vip of the region. */
  readonly isRegionWide?: boolean;
}

/** What must be typed: what the move is about. */
export const nameOf = ({ vip, region, isRegionWide }: Wish): string => (isRegionWide === true ? region : vip);

export const REASON_LENGTH_MIN = 3;

export interface ApiRequest {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export function requestOf(wish: Wish): ApiRequest {
  const { action, vip, region, reason, seconds, force = [], atMs, isRegionWide } = wish;
  const name = encodeURIComponent(vip);
  const to = region === '' ? {} : { to: region };
  const forced = force.length === 0 ? {} : { force: [...force] };
  const later = atMs === undefined ? {} : { atMs };
  switch (action) {
    case 'failover':
      return { path: `/vips/${name}/failover`, body: { ...to, ...forced, ...later, reason } };
    case 'failback':
      return { path: `/vips/${name}/failback`, body: { ...forced, ...later, reason } };
    case 'drain':
    case 'undrain':
      return {
        path: `/regions/${encodeURIComponent(region)}/${action}`,
        body: { ...(isRegionWide === true ? {} : { vip }), ...forced, reason },
      };
    case 'hold':
      return { path: '/holds', body: { vip, reason, seconds } };
    case 'drill':
      return { path: '/drills', body: { vip, ...to, seconds, reason } };
  }
}

/** The same on the command line: the page is not the only road. */
export function commandOf(wish: Wish): string {
  const { action, vip, region, reason, seconds, force = [], atMs, isRegionWide } = wish;
  const why = [
    ...(atMs === undefined ? [] : ['--at', new Date(atMs).toISOString()]),
    ...force.flatMap((guard) => ['--force', shellWord(guard)]),
    ...['--reason', reason === '' ? '"..."' : shellWord(reason)],
  ];
  const only = isRegionWide === true ? [] : ['--vip', shellWord(vip)];
  const to = region === '' ? [] : ['--to', shellWord(region)];
  const words: Record<Action, readonly string[]> = {
    failover: ['failover', shellWord(vip), ...to],
    failback: ['failback', shellWord(vip)],
    drain: ['drain', shellWord(region || 'REGION'), ...only],
    undrain: ['undrain', shellWord(region || 'REGION'), ...only],
    hold: ['hold', shellWord(vip), '--for', `${seconds}s`],
    drill: ['drill', shellWord(vip), ...to, '--for', `${seconds}s`],
  };
  return ['anycastctl', ...words[action], ...why].join(' ');
}

/** What is done and to what, as the button that does it says. */
export function verbOf({ action, vip, region, isRegionWide }: Wish): string {
  switch (action) {
    case 'drain':
    case 'undrain':
      return `${ACTION_TITLES[action]} ${region} for ${isRegionWide === true ? 'every vip' : vip}`;
    case 'failover':
      return `Move ${vip}${region === '' ? '' : ` to ${region}`}`;
    default:
      return `${ACTION_TITLES[action]} ${vip}`;
  }
}

/** What happens to users, before any detail. */
export const CONSEQUENCES: Readonly<Record<Action, string>> = {
  failover: 'Traffic of this vip moves to another region: new connections go there, open ones may break.',
  failback: 'Traffic of this vip returns to its first region: new connections go there, open ones may break.',
  drain: 'The region stops taking part for this vip; if it acts now, traffic moves away from it.',
  undrain: 'The region takes part again for this vip.',
  hold: 'Automation leaves this vip alone until the hold ends. An unhealthy or lost region is still failed over.',
  drill: 'Traffic of this vip really moves to another region for the time given, and returns.',
};

/** Why nobody may act now, in words that name what is missing; undefined when they may. */
export function whyDisabled(
  identity: Identity | undefined,
  status: Status,
  vip: StatusVip,
  isStale: boolean,
): string | undefined {
  if (identity === undefined) return 'sign in to act';
  if (!identity.roles.includes(OPERATE)) return `needs the role ${OPERATE}`;
  if (isStale) return 'what is shown is too old to act on';
  if (status.ledger !== 'ok') return `the ledger is ${status.ledger}: nothing can be decided`;
  if (status.leader !== null && status.leader !== status.seat) return `${status.leader} leads: act on its dashboard`;
  const running = underWay(status).find((operation) => operation.vip === vip.vip || operation.vip === null);
  return running === undefined ? undefined : `${running.kind} by ${running.actor} is under way (${running.id})`;
}
