// Stopping all automatic moves for a while, and letting them go on: mild, so a reason and one button.
import { html } from 'htm/preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Operation } from '../../../shared/api.ts';
import type { ProblemDocument } from '../../../shared/errors.ts';
import { REASON_LENGTH_MIN } from './actions-model.ts';
import type { ControlPlane } from './control-plane.ts';
import { Problem } from './faces.ts';
import { shellWord } from './text.ts';

export type HoldWish = { readonly type: 'hold-all' } | { readonly type: 'release'; readonly id: string };

export interface HoldDialogProps {
  readonly plane: ControlPlane;
  readonly wish: HoldWish;
  readonly onStarted: (operation: Operation) => void;
  readonly onClose: () => void;
}

const HOLD_ALL_SECONDS = 3600;

export function HoldDialog({ plane, wish, onStarted, onClose }: HoldDialogProps) {
  const [reason, setReason] = useState('');
  const [problem, setProblem] = useState<ProblemDocument | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  const [key] = useState(() => crypto.randomUUID());
  const dialog = useRef<HTMLDialogElement>(null);
  const cancel = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    cancel.current?.focus();
  }, []);
  const isHold = wish.type === 'hold-all';
  const isReady = reason.trim().length >= REASON_LENGTH_MIN;
  const why = reason === '' ? '"..."' : shellWord(reason);
  async function act(): Promise<void> {
    setBusy(true);
    const answer = isHold
      ? await plane.send<Operation>('POST', '/holds', { reason, seconds: HOLD_ALL_SECONDS }, key)
      : await plane.send<Operation>(
          'DELETE',
          `/holds/${encodeURIComponent(wish.id)}?reason=${encodeURIComponent(reason)}`,
          undefined,
          key,
        );
    setBusy(false);
    if (answer.ok) onStarted(answer.value);
    else setProblem(answer.problem);
  }
  return html`<dialog ref=${dialog} role="alertdialog" aria-labelledby="hold-title" aria-describedby="hold-consequence" onClose=${onClose}>
    <h2 id="hold-title">${isHold ? 'Hold all automatic moves for one hour' : `Release ${wish.id}`}</h2>
    <p id="hold-consequence" class="consequence">
      ${isHold ? 'Automation makes no planned move of any vip. An unhealthy or lost region is still failed over.' : 'Automation goes on at once, and may move traffic.'}
    </p>
    ${problem ? html`<div role="alert"><${Problem} problem=${problem} /></div>` : ''}
    <label>reason, for the record <input value=${reason} maxlength="500" autocomplete="off" onInput=${(event: Event) => setReason((event.target as HTMLInputElement).value)} /></label>
    <p class="age">${isReady ? 'Kept in the audit.' : `A reason of at least ${REASON_LENGTH_MIN} characters is required.`}</p>
    <code class="twin">${isHold ? `anycastctl hold --for 1h --reason ${why}` : `anycastctl resume ${wish.id} --reason ${why}`}</code>
    <p class="buttons">
      <button type="button" ref=${cancel} onClick=${onClose}>Cancel</button>
      <button type="button" class="primary" disabled=${isBusy || !isReady} onClick=${act}>${isHold ? 'Hold all' : 'Release hold'}</button>
    </p>
  </dialog>`;
}
