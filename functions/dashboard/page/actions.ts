// The buttons of a vip, with the same on the command line; one that cannot be used says why.
import { html } from 'htm/preact';
import { useState } from 'preact/hooks';
import type { StatusVip } from '../../../shared/api.ts';
import { ACTION_TITLES, ACTIONS, type Action, commandOf, type Wish } from './actions-model.ts';

export interface ActionsProps {
  readonly vip: StatusVip;
  /** Why nobody may act now. */
  readonly refusal: string | undefined;
  readonly onAsk: (wish: Wish) => void;
}

/** A wish with what is most likely wanted filled in. */
export function draftWish(action: Action, vip: StatusVip): Wish {
  const others = vip.regions.filter(({ region }) => region !== vip.acting);
  const healthy = others.find(({ verdict }) => verdict === 'healthy') ?? others[0];
  const drained = vip.regions.find(({ role }) => role === 'drained');
  const region =
    { failover: healthy?.region, drill: healthy?.region, drain: vip.acting, undrain: drained?.region }[
      action as string
    ] ?? '';
  return { action, vip: vip.vip, region, reason: '', seconds: action === 'hold' ? 1800 : 60 };
}

export function Actions({ vip, refusal, onAsk }: ActionsProps) {
  const [hinted, setHinted] = useState<Action>('failover');
  const isDrained = vip.regions.some(({ role }) => role === 'drained');
  const shown = ACTIONS.filter((action) => action !== 'undrain' || isDrained);
  return html`<div class="actions" role="group" aria-label=${`actions on ${vip.vip}`}>
    ${shown.map(
      (action) => html`<button
        type="button"
        key=${action}
        disabled=${refusal !== undefined}
        aria-describedby=${refusal === undefined ? undefined : 'refusal'}
        onMouseEnter=${() => setHinted(action)}
        onFocus=${() => setHinted(action)}
        onClick=${() => onAsk(draftWish(action, vip))}
      >
        ${ACTION_TITLES[action]}
      </button>`,
    )}
    ${refusal === undefined ? '' : html`<span id="refusal" class="refusal">⊘ ${refusal}</span>`}
    <code class="twin">${commandOf(draftWish(hinted, vip))}</code>
  </div>`;
}
