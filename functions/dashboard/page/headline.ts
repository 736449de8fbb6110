// The first line: how many vips are in trouble, whether automation is on, how fresh this is, who is signed in.
import { html } from 'htm/preact';
import type { Status } from '../../../shared/api.ts';
import { type Identity, OPERATE } from './access.ts';
import type { Feed } from './feed.ts';
import { headlineOf } from './fleet-model.ts';
import { durationText } from './text.ts';

const AUTOMATION: Readonly<Record<Status['automation'], readonly [string, string]>> = {
  on: ['automation ON', 'calm'],
  held: ['⏸ automation HELD', 'look'],
  shadow: ['automation SHADOW: decides, does not act', 'look'],
  untrusted: ['automation WAITS for a person: the ledger was rebuilt', 'act'],
};

export interface HeadlineProps {
  readonly feed: Feed<Status>;
  readonly ageMs: number;
  readonly isStale: boolean;
  readonly identity: Identity | undefined;
  readonly holdAllRefusal: string | undefined;
  readonly onHoldAll: () => void;
  readonly onSignOut: () => void;
}

export function Headline(props: HeadlineProps) {
  const { feed, ageMs, isStale, identity } = props;
  const status = feed.value;
  return html`<header class=${isStale ? 'stale' : ''}>
    <h1>${status?.deployment ?? 'anycast-failover'}</h1>
    ${status ? html`<${Counts} status=${status} isStale=${isStale} /> <${Automation} status=${status} ...${props} />` : ''}
    <p class="freshness">
      ${feed.problem ? html`<strong class="face act">✕ ${feed.problem.title}</strong>` : isStale ? '? unknown' : 'live'}
      ${status ? html` <span class="age">${durationText(ageMs)}</span>` : ''}
    </p>
    <p class="identity">
      ${identity?.name ?? 'nobody'} ${identity?.roles.includes(OPERATE) ? '' : html`<span class="face look">◐ read only</span>`}
      ${identity ? html` <button type="button" class="quiet" onClick=${props.onSignOut}>Sign out</button>` : ''}
    </p>
  </header>`;
}

function Counts({ status, isStale }: { status: Status; isStale: boolean }) {
  const { vips, moving, unserved, others } = headlineOf(status);
  const tones = [
    ...others.map(({ tone }) => tone),
    ...(unserved > 0 ? ['act'] : []),
    ...(moving > 0 ? ['moving'] : []),
  ];
  // The highest of them all stands for all.
  const worst = ['act', 'moving', 'look', 'unknown'].find((tone) => tones.includes(tone)) ?? 'calm';
  return html`<p class="counts">
    ${isStale ? '? last known: ' : ''}<span aria-hidden="true" class=${`face ${worst}`}>${worst === 'calm' ? '●' : '!'}</span>
    ${' '}${vips} vip${vips === 1 ? '' : 's'} · <span class=${moving > 0 ? 'face moving' : ''}>${moving} moving</span> ·${' '}
    <span class=${unserved > 0 ? 'face act' : ''}>${unserved} unserved</span>
    ${others.map(({ word, count, tone }) => html`${' '}· <span class=${`face ${tone}`}>${count} ${word}</span>`)}
  </p>`;
}

function Automation({
  status,
  holdAllRefusal,
  onHoldAll,
}: { status: Status } & Pick<HeadlineProps, 'holdAllRefusal' | 'onHoldAll'>) {
  const [text, tone] = AUTOMATION[status.automation];
  const decided =
    status.decidedAtMs === null
      ? 'nothing decided yet'
      : `decided ${durationText(status.nowMs - status.decidedAtMs)} ago`;
  return html`<p class="automation">
    <span class=${`face ${tone}`}>${text}</span>${' '}
    <button type="button" disabled=${holdAllRefusal !== undefined} title=${holdAllRefusal ?? 'Stop all automatic moves for a while'} onClick=${onHoldAll}>
      Hold all
    </button>
    ${' '}<span class="age">${status.leader ?? 'no seat'} leads · ${decided} · ledger ${status.ledger}</span>
  </p>`;
}
