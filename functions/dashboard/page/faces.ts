// Small things seen everywhere: a state as glyph, word and colour; an age; an AS path; an area that can fail alone.
import { html } from 'htm/preact';
import type { ProblemDocument } from '../../../shared/errors.ts';
import { type Proof, type Role, VERDICT_GLYPHS, type Verdict } from '../../../shared/vocabulary.ts';
import type { Tone } from './fleet-model.ts';
import { asRuns, durationText, runText } from './text.ts';

const VERDICT_TONES: Readonly<Record<Verdict, Tone>> = {
  healthy: 'calm',
  degraded: 'look',
  unhealthy: 'act',
  lost: 'act',
  unknown: 'unknown',
};
const PROOF_FACES: Readonly<Record<Proof, readonly [string, Tone]>> = {
  proved: ['✓', 'calm'],
  failed: ['✗', 'act'],
  waiting: ['…', 'moving'],
  'not checked': ['-', 'unknown'],
};
const ROLE_GLYPHS: Readonly<Record<Role, string>> = { primary: '', backup: '', drained: '⏻ ', out: '⊘ ' };

/** The glyph is for eyes: the word says the same. */
export const Face = ({ glyph, word, tone }: { glyph: string; word: string; tone: Tone }) =>
  html`<span class=${`face ${tone}`}><span aria-hidden="true">${glyph}</span> ${word}</span>`;

export const VerdictFace = ({ verdict }: { verdict: Verdict }) =>
  Face({ glyph: VERDICT_GLYPHS[verdict], word: verdict, tone: VERDICT_TONES[verdict] });

export function ProofFace({ proof }: { proof: Proof }) {
  const [glyph, tone] = PROOF_FACES[proof];
  return Face({ glyph, word: proof, tone });
}

export const roleText = (role: Role): string => `${ROLE_GLYPHS[role]}${role}`;

/** @param ms null: never heard. */
export const Age = ({ ms }: { ms: number | null }) =>
  html`<span class="age">${ms === null ? 'never' : `${durationText(ms)} ago`}</span>`;

/** The path with every prepend written out; numbers that the edge takes away are struck through. */
export function AsPath({ path, stripped = false }: { path: readonly number[]; stripped?: boolean }) {
  if (path.length === 0) return html`<span class="as-path">no route</span>`;
  const runs = asRuns(path, stripped).map((run) =>
    run.isStripped
      ? html`<s title="private AS numbers vanish at the edge of ExpressRoute">${runText(run)}</s>${' '}`
      : html`<span>${runText(run)}</span>${' '}`,
  );
  return html`<span class="as-path">${runs}</span>`;
}

/** The last probes, oldest first: one box each, and the same in words. */
export function ProbeWindow({ window }: { window: string }) {
  const failed = [...window].filter((one) => one === '0').length;
  const boxes = [...window].map(
    (one) =>
      html`<i class=${one === '1' ? 'passed' : one === '0' ? 'failed' : 'told-nothing'}>${one === '1' ? '●' : one === '0' ? '✕' : '?'}</i>`,
  );
  return html`<span class="window" role="img" aria-label=${`${failed} of the last ${window.length} probes failed`}>${boxes}</span>`;
}

/** What is wrong, and what to do about it, in the words of the control plane. */
export const Problem = ({ problem }: { problem: ProblemDocument }) =>
  html`<div class="problem">
    <strong>${problem.title}</strong>${problem.detail ? html`: ${problem.detail}` : ''}
    ${problem.next ? html`<br />Next: ${problem.next}` : ''}
  </div>`;

/** A part of the page with its own freshness: what it shows stays, hatched when it is too old to be believed. */
export function Area(props: {
  title: string;
  name: string;
  ageMs?: number | undefined;
  isStale?: boolean | undefined;
  problem?: ProblemDocument | undefined;
  children?: unknown;
}) {
  const { title, name, ageMs, isStale, problem, children } = props;
  const age =
    ageMs === undefined
      ? ''
      : html`<span class="age">${isStale ? '? unknown since' : ''} ${durationText(ageMs)}</span>`;
  return html`<section class=${`area ${name} ${isStale ? 'stale' : ''}`} aria-labelledby=${`${name}-title`}>
    <h2 id=${`${name}-title`}>${title} ${isStale ? age : ''}</h2>
    ${problem ? html`<${Problem} problem=${problem} />` : ''} ${children}
  </section>`;
}
