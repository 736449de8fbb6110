// Mild changes: holding everything, releasing a hold, cancelling what waits. They move no traffic by themselves, so a reason
// and one button are enough.
import { html } from 'htm/preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Operation } from '../../../shared/api.ts';
import type { ProblemDocument } from '../../../shared/errors.ts';
import { REASON_LENGTH_MIN } from './actions-model.ts';
import type { ControlPlane } from './control-plane.ts';
import { Problem } from './faces.ts';
import { durationText, shellWord } from './text.ts';

export type MildWish =
  | { readonly type: 'hold-all' }
  | { readonly type: 'release'; readonly id: string }
  | { readonly type: 'cancel'; readonly id: string };

export interface ReasonDialogProps {
  readonly plane: ControlPlane;
  readonly wish: MildWish;
  readonly onStarted: (operation: Operation) => void;
  readonly onClose: () => void;
}

const HOLD_SECONDS = [600, 3600, 4 * 3600, 24 * 3600];
const HOLD_SECONDS_FIRST = 3600;

interface Words {
  readonly title: string;
  readonly consequence: string;
  readonly button: string;
  /** The same on the command line, without the reason. */
  readonly command: string;
}

function wordsOf(wish: MildWish, seconds: number): Words {
  switch (wish.type) {
    case 'hold-all':
      return {
        title: 'Hold all automatic moves',
        consequence: 'Automation makes no planned move of any vip. An unhealthy or lost region is still failed over.',
        button: 'Hold all',
        command: `anycastctl hold --for ${seconds}s`,
      };
    case 'release':
      return {
        title: `Release ${wish.id}`,
        consequence: 'Automation goes on at once, and may move traffic.',
        button: 'Release hold',
        command: `anycastctl resume ${wish.id}`,
      };
    case 'cancel':
      return {
        title: `Cancel ${wish.id}`,
        consequence: 'What waits is dropped and a drill goes back. What is committed already stays as it is.',
        button: 'Cancel operation',
        command: `anycastctl operation cancel ${wish.id}`,
      };
  }
}

function send(plane: ControlPlane, wish: MildWish, reason: string, seconds: number, key: string) {
  if (wish.type === 'hold-all') return plane.send<Operation>('POST', '/holds', { reason, seconds }, key);
  const path = `/${wish.type === 'release' ? 'holds' : 'operations'}/${encodeURIComponent(wish.id)}`;
  return plane.send<Operation>('DELETE', `${path}?reason=${encodeURIComponent(reason)}`, undefined, key);
}

export function ReasonDialog({ plane, wish, onStarted, onClose }: ReasonDialogProps) {
  const [reason, setReason] = useState('');
  const [seconds, setSeconds] = useState(HOLD_SECONDS_FIRST);
  const [problem, setProblem] = useState<ProblemDocument | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  const [key] = useState(() => crypto.randomUUID());
  const dialog = useRef<HTMLDialogElement>(null);
  const leave = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    leave.current?.focus();
  }, []);
  const { title, consequence, button, command } = wordsOf(wish, seconds);
  const isReady = reason.trim().length >= REASON_LENGTH_MIN;
  async function act(): Promise<void> {
    setBusy(true);
    const answer = await send(plane, wish, reason, seconds, key);
    setBusy(false);
    if (answer.ok) onStarted(answer.value);
    else setProblem(answer.problem);
  }
  return html`<dialog ref=${dialog} role="alertdialog" aria-labelledby="reason-title" aria-describedby="reason-consequence" onClose=${onClose}>
    <h2 id="reason-title">${title}</h2>
    <p id="reason-consequence" class="consequence">${consequence}</p>
    ${problem ? html`<div role="alert"><${Problem} problem=${problem} /></div>` : ''}
    ${
      wish.type === 'hold-all' &&
      html`<label>
        for
        <select value=${String(seconds)} onChange=${(event: Event) => setSeconds(Number((event.target as HTMLSelectElement).value))}>
          ${HOLD_SECONDS.map((one) => html`<option key=${one} value=${one}>${durationText(one * 1000)}</option>`)}
        </select>
      </label>`
    }
    <label>reason, for the record <input value=${reason} maxlength="500" autocomplete="off" onInput=${(event: Event) => setReason((event.target as HTMLInputElement).value)} /></label>
    <p class="age">${isReady ? 'Kept in the audit.' : `A reason of at least ${REASON_LENGTH_MIN} characters is required.`}</p>
    <code class="twin">${command} --reason ${reason === '' ? '"..."' : shellWord(reason)}</code>
    <p class="buttons">
      <button type="button" ref=${leave} onClick=${onClose}>${wish.type === 'cancel' ? 'Leave it' : 'Cancel'}</button>
      <button type="button" class="primary" disabled=${isBusy || !isReady} onClick=${act}>${button}</button>
    </p>
  </dialog>`;
}
