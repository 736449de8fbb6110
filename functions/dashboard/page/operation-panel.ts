// An operation while it proves itself: its steps, what is still open, and how it ended.
import { html } from 'htm/preact';
import type { Operation } from '../../../shared/api.ts';
import type { ControlPlane } from './control-plane.ts';
import { Problem, ProofFace } from './faces.ts';
import { type Feed, useFeed } from './feed.ts';
import type { Tone } from './fleet-model.ts';
import { durationText, shortenPaths } from './text.ts';

const PERIOD_MS = 1000;

const ENDS: Readonly<Record<Operation['state'], readonly [string, string, Tone]>> = {
  running: ['…', 'under way', 'moving'],
  scheduled: ['…', 'waits for its time', 'moving'],
  proved: ['✓', 'proved', 'calm'],
  'not-proved': ['✗', 'done, but not proved', 'act'],
  refused: ['⊘', 'refused', 'look'],
  expired: ['⊘', 'expired: nothing was changed', 'look'],
  failed: ['✗', 'failed', 'act'],
  'already-so': ['✓', 'already so', 'calm'],
  cancelled: ['⊘', 'cancelled', 'look'],
};

export const hasEnded = (operation: Operation): boolean =>
  operation.state !== 'running' && operation.state !== 'scheduled';

/** What is committed takes the opposite move; a drill goes back. */
const canBeCancelled = ({ generation, kind }: Operation): boolean =>
  kind !== 'cancel' && (generation === null || kind === 'drill');

export interface OperationProps {
  readonly plane: ControlPlane;
  /** As it was accepted. */
  readonly started: Operation;
  readonly onCancel: () => void;
  readonly onDismiss: () => void;
}

export function OperationPanel({ plane, started, onCancel, onDismiss }: OperationProps) {
  const feed: Feed<Operation> = useFeed<Operation>(started.id, PERIOD_MS, async (previous) =>
    // What has ended does not change any more: no need to ask.
    previous !== undefined && hasEnded(previous)
      ? { ok: true, value: previous, status: 200 }
      : plane.get<Operation>(`/operations/${encodeURIComponent(started.id)}`),
  );
  const operation = feed.value ?? started;
  const [glyph, word, tone] = ENDS[operation.state] ?? ['?', operation.state, 'unknown'];
  const isBad = tone === 'act';
  return html`<section class=${`operation ${tone}`} aria-labelledby="operation-title">
    <h2 id="operation-title">${operation.kind} ${operation.vip ?? operation.region ?? ''} <code>${operation.id}</code></h2>
    <p role=${isBad ? 'alert' : 'status'} class="outcome">
      <span class=${`face ${tone}`}><span aria-hidden="true">${glyph}</span> ${word}</span>
      ${operation.finishedAtMs === null ? '' : ` after ${durationText(operation.finishedAtMs - operation.createdAtMs)}`}
    </p>
    ${feed.problem ? html`<${Problem} problem=${feed.problem} />` : ''}
    <ol class="steps">
      ${operation.steps.map((step) => html`<li key=${step.name}><${ProofFace} proof=${step.proof} /> <b>${step.name}</b> ${shortenPaths(step.detail)}</li>`)}
    </ol>
    ${operation.report ? html`<p>outage ${operation.report.outageMs === null ? 'not measured' : `${Math.round(operation.report.outageMs)} ms`}</p>` : ''}
    ${operation.problems.map((problem) => html`<p class="problem"><strong>${problem.code}</strong>: ${problem.detail}</p>`)}
    <p class="age">by ${operation.actor}: ${operation.reason}</p>
    ${
      hasEnded(operation)
        ? html`<button type="button" onClick=${onDismiss}>Close</button>`
        : html`<p class="buttons">
          ${canBeCancelled(operation) ? html`<button type="button" onClick=${onCancel}>Cancel the operation</button>` : ''}
          <code class="twin">anycastctl operation watch ${operation.id}</code>
        </p>`
    }
  </section>`;
}
