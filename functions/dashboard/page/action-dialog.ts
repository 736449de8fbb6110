// From a wish to a move: what and why, then the control plane's own preview, then the typed name. Enter never acts.
import { html } from 'htm/preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Operation, Plan, StatusVip } from '../../../shared/api.ts';
import type { ProblemDocument } from '../../../shared/errors.ts';
import { UNFORCEABLE } from '../../engine/guards.ts';
import {
  ACTION_TITLES,
  CONSEQUENCES,
  commandOf,
  nameOf,
  REASON_LENGTH_MIN,
  requestOf,
  verbOf,
  type Wish,
} from './actions-model.ts';
import type { ControlPlane } from './control-plane.ts';
import { Problem } from './faces.ts';
import { durationText, localTime } from './text.ts';

export interface DialogProps {
  readonly plane: ControlPlane;
  readonly vip: StatusVip;
  readonly wish: Wish;
  readonly onStarted: (operation: Operation) => void;
  readonly onClose: () => void;
}

interface Preview {
  readonly wish: Wish;
  readonly plan: Plan;
  /** Made once per preview: pressing twice is one operation. */
  readonly key: string;
  readonly notice: string;
}

/** A problem may bring the plan that stands now. */
const planIn = (problem: ProblemDocument): Plan | undefined => problem.plan as Plan | undefined;

export function ActionDialog({ plane, vip, wish: drafted, onStarted, onClose }: DialogProps) {
  const [wish, setWish] = useState(drafted);
  const [preview, setPreview] = useState<Preview | undefined>(undefined);
  const [problem, setProblem] = useState<ProblemDocument | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);

  async function look(asked: Wish): Promise<void> {
    setBusy(true);
    setWish(asked);
    const { path, body } = requestOf(asked);
    const answer = await plane.send<Plan>('POST', path, { ...body, dryRun: true });
    setBusy(false);
    setProblem(answer.ok ? undefined : answer.problem);
    if (answer.ok) setPreview({ wish: asked, plan: answer.value, key: crypto.randomUUID(), notice: '' });
  }

  async function act({ wish: seen, plan, key }: Preview): Promise<void> {
    setBusy(true);
    const { path, body } = requestOf(seen);
    // A hold takes nothing away from anybody: it needs no binding to what was seen.
    const bound = seen.action === 'hold' ? {} : { seenGeneration: plan.generation };
    const answer = await plane.send<Operation>('POST', path, { ...body, ...bound }, key);
    setBusy(false);
    if (answer.ok) return onStarted(answer.value);
    const newPlan = planIn(answer.problem);
    if (answer.problem.code !== 'moved-on' || newPlan === undefined) return setProblem(answer.problem);
    setPreview({
      wish: seen,
      plan: newPlan,
      key: crypto.randomUUID(),
      notice: 'The policy changed while you looked: this is the plan as of now.',
    });
  }

  return html`<dialog
    ref=${dialog}
    role=${preview === undefined ? 'dialog' : 'alertdialog'}
    aria-labelledby="dialog-title"
    aria-describedby="consequence"
    onClose=${onClose}
  >
    <h2 id="dialog-title">${ACTION_TITLES[wish.action]} ${wish.vip} <span class="age">${vip.prefix}</span></h2>
    <p id="consequence" class="consequence">${CONSEQUENCES[wish.action]}</p>
    ${problem ? html`<div role="alert"><${Problem} problem=${problem} /></div>` : ''}
    ${
      preview === undefined
        ? html`<${WishForm} vip=${vip} wish=${wish} isBusy=${isBusy} onChange=${setWish} onLook=${() => look(wish)} onClose=${onClose} />`
        : html`<${PlanView} key=${preview.key} preview=${preview} isBusy=${isBusy} onAct=${() => act(preview)} onForce=${(force: readonly string[]) => look({ ...preview.wish, force })} onBack=${() => setPreview(undefined)} onClose=${onClose} />`
    }
  </dialog>`;
}

interface FormProps {
  readonly vip: StatusVip;
  readonly wish: Wish;
  readonly isBusy: boolean;
  readonly onChange: (wish: Wish) => void;
  readonly onLook: () => void;
  readonly onClose: () => void;
}

/** A local time without a zone is what the field holds; nothing or half a time is no time. */
function timeIn(event: Event): number | undefined {
  const atMs = Date.parse(textIn(event));
  return Number.isNaN(atMs) ? undefined : atMs;
}

const textIn = (event: Event): string => (event.target as HTMLInputElement | HTMLSelectElement).value;

function WishForm({ vip, wish, isBusy, onChange, onLook, onClose }: FormProps) {
  const { action } = wish;
  const reason = useRef<HTMLInputElement>(null);
  useEffect(() => reason.current?.focus(), []);
  const isReasonGiven = wish.reason.trim().length >= REASON_LENGTH_MIN;
  const hasRegion = action !== 'failback' && action !== 'hold';
  const hasLength = action === 'hold' || action === 'drill';
  const hasTime = action === 'failover' || action === 'failback';
  const hasScope = action === 'drain' || action === 'undrain';
  return html`<form
    onSubmit=${(event: Event) => {
      event.preventDefault();
      if (isReasonGiven) onLook();
    }}
  >
    ${
      hasRegion &&
      html`<label>
        ${action === 'failover' || action === 'drill' ? 'to' : 'region'}
        <select value=${wish.region} onChange=${(event: Event) => onChange({ ...wish, region: textIn(event) })}>
          ${vip.regions.map(({ region, verdict, role }) => html`<option key=${region} value=${region}>${region}: ${role}, ${verdict}</option>`)}
        </select>
      </label>`
    }
    ${
      hasLength &&
      html`<label>
        for
        <select value=${String(wish.seconds)} onChange=${(event: Event) => onChange({ ...wish, seconds: Number(textIn(event)) })}>
          ${[10, 60, 300, 1800, 3600, 4 * 3600, 24 * 3600].filter((seconds) => action === 'hold' || seconds <= 3600).map((seconds) => html`<option key=${seconds} value=${seconds}>${durationText(seconds * 1000)}</option>`)}
        </select>
      </label>`
    }
    ${
      hasScope &&
      html`<label>
        for
        <select value=${wish.isRegionWide === true ? 'all' : 'one'} onChange=${(event: Event) => onChange({ ...wish, isRegionWide: textIn(event) === 'all' })}>
          <option value="one">${wish.vip} only</option>
          <option value="all">every vip of the region</option>
        </select>
      </label>`
    }
    ${
      hasTime &&
      html`<label>
        not before, by the clock of this computer (empty: now)
        <input type="datetime-local" value=${wish.atMs === undefined ? '' : localTime(wish.atMs)} onInput=${(event: Event) => onChange({ ...wish, atMs: timeIn(event) })} />
      </label>`
    }
    <label>
      reason, for the record
      <input value=${wish.reason} maxlength="500" autocomplete="off" aria-describedby="reason-rule" ref=${reason} onInput=${(event: Event) => onChange({ ...wish, reason: textIn(event) })} />
    </label>
    <p id="reason-rule" class="age">${isReasonGiven ? 'Kept in the audit.' : `A reason of at least ${REASON_LENGTH_MIN} characters is required.`}</p>
    <code class="twin">${commandOf(wish)}</code>
    <p class="buttons">
      <button type="button" onClick=${onClose}>Cancel</button>
      <button type="submit" class="primary" disabled=${isBusy || !isReasonGiven}>Preview</button>
    </p>
  </form>`;
}

interface PlanProps {
  readonly preview: Preview;
  readonly isBusy: boolean;
  readonly onAct: () => void;
  /** Looks again with these guards overridden. */
  readonly onForce: (guards: readonly string[]) => void;
  readonly onBack: () => void;
  readonly onClose: () => void;
}

function PlanView({ preview: { wish, plan, notice }, isBusy, onAct, onForce, onBack, onClose }: PlanProps) {
  const [typed, setTyped] = useState('');
  const cancel = useRef<HTMLButtonElement>(null);
  useEffect(() => cancel.current?.focus(), []);
  const isOffered = wish.action === 'hold' || (plan.allowed && !plan.alreadySo);
  return html`<div class="plan">
    ${notice === '' ? '' : html`<p role="alert" class="face look">! ${notice}</p>`}
    <p role="status">${planSentence(wish, plan)} <span class="age">seen at generation ${plan.generation}</span></p>
    ${
      plan.actions.length > 0 &&
      html`<table>
        <thead>
          <tr><th scope="col">vip</th><th scope="col">region</th><th scope="col">now</th><th scope="col">after</th></tr>
        </thead>
        <tbody>
          ${plan.actions.map(
            (action) => html`<tr>
              <td>${action.vip}</td>
              <th scope="row">${action.region}</th>
              <td>${action.before} ×${action.prependBefore}</td>
              <td>${action.after} ×${action.prependAfter}</td>
            </tr>`,
          )}
        </tbody>
      </table>`
    }
    ${
      plan.explanation.length > 0 &&
      html`<ul>
        ${plan.explanation.map((line) => html`<li>${line}</li>`)}
      </ul>`
    }
    <${Guards} wish=${wish} plan=${plan} isBusy=${isBusy} onForce=${onForce} />
    ${
      isOffered
        ? html`<label>
          <span>type <b>${nameOf(wish)}</b> to unlock</span>
          <input value=${typed} autocomplete="off" autocapitalize="off" spellcheck=${false} onInput=${(event: Event) => setTyped(textIn(event))} />
        </label>`
        : ''
    }
    <p class="buttons">
      <button type="button" ref=${cancel} onClick=${onClose}>Cancel</button>
      <button type="button" onClick=${onBack}>Change</button>
      ${isOffered ? html`<button type="button" class="danger" disabled=${isBusy || typed !== nameOf(wish)} onClick=${onAct}>${verbOf(wish)}</button>` : ''}
    </p>
  </div>`;
}

/** What holds a move back, each by the name with which it can be overridden; what is overridden already stays on show. */
function Guards({ wish, plan, isBusy, onForce }: Pick<PlanProps, 'isBusy' | 'onForce'> & { wish: Wish; plan: Plan }) {
  const { force = [] } = wish;
  const [chosen, choose] = useState<readonly string[]>(force);
  const details = new Map(plan.blocked.map(({ guard, detail }) => [guard, detail]));
  const guards = [...new Set([...force, ...details.keys()])];
  const isForceable = wish.action !== 'hold' && wish.action !== 'drill';
  if (guards.length === 0 || !isForceable) return '';
  const toggle = (guard: string) =>
    choose(chosen.includes(guard) ? chosen.filter((one) => one !== guard) : [...chosen, guard]);
  return html`<fieldset>
    <legend>Guards, overridden by name only</legend>
    ${guards.map(
      (guard) => html`<label key=${guard}>
        <input type="checkbox" checked=${chosen.includes(guard)} disabled=${UNFORCEABLE.has(guard)} onChange=${() => toggle(guard)} />
        <span><b>${guard}</b>${details.has(guard) ? `: ${details.get(guard)}` : ', overridden in this plan'}${UNFORCEABLE.has(guard) ? ' (cannot be overridden)' : ''}</span>
      </label>`,
    )}
    <button type="button" disabled=${isBusy || chosen.join() === force.join()} onClick=${() => onForce(chosen)}>Preview with ${chosen.length === 0 ? 'every guard' : `${chosen.join(', ')} overridden`}</button>
  </fieldset>`;
}

function planSentence(wish: Wish, plan: Plan): string {
  if (wish.action === 'hold')
    return `Automation would leave ${wish.vip} alone for ${durationText(wish.seconds * 1000)}.`;
  if (plan.alreadySo) return 'It is so already: nothing would change.';
  if (!plan.allowed) return 'This would be refused: nothing would change.';
  const when =
    wish.atMs === undefined ? '' : `Not before ${new Date(wish.atMs).toISOString()}, if it were as it is now: `;
  return `${when}${verbOf(wish)}: ${plan.actions.length} change${plan.actions.length === 1 ? '' : 's'} of routes.`;
}
