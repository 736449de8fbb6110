// The path as it was decided at a moment of the history, in the form of the live one, and the way back to now.
import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import { clockText } from './text.ts';
import type { Then, ThenRegion } from './then-model.ts';

const STEP_TITLES: Readonly<Record<string, string>> = { routeServer: 'Route Server' };

export function ThenMap({ then, onNow }: { then: Then; onNow: () => void }) {
  const { entry, acting, regions } = then;
  const back = useRef<HTMLButtonElement>(null);
  useEffect(() => back.current?.focus(), [entry.id]);
  return html`<div class="then">
    <p role="status">
      <b>As decided ${entry.time.slice(0, 10)} ${clockText(entry.time)} UTC</b> by ${entry.isAutomatic ? 'automation' : entry.actor}: ${entry.reason}.
      <button type="button" class="quiet" ref=${back} onClick=${onNow}>Back to now</button>
    </p>
    <ol class="regions">
      ${regions.map((region) => html`<${RegionThen} key=${region.region} region=${region} isBest=${acting.includes(region.region)} />`)}
    </ol>
    <p class="age">From the audit: what was ordered. A fall to last resort is an agent's own and ordered by nobody, so it is not shown here.</p>
  </div>`;
}

function RegionThen({ region, isBest }: { region: ThenRegion; isBest: boolean }) {
  const { role, rung, prepend, state, before, proofs } = region;
  return html`<li class=${isBest ? 'best' : 'other'}>
    <h3><span class="carrying" aria-hidden="true">${isBest ? '+' : '-'}</span> ${region.region} <span class="role">${role}${isBest ? ', was to carry traffic' : ''}</span></h3>
    <ol class="hops">
      <li class="hop">
        <h4>ordered</h4>
        <p>${state === 'announced' ? `r${rung} ×${prepend}` : state}</p>
        ${before === undefined ? html`<p class="age">unchanged by this decision</p>` : html`<p class="face moving">was ${before}</p>`}
      </li>
      ${proofs.map(
        ([step, outcome]) => html`<li class="hop" key=${step}>
          <h4>${STEP_TITLES[step] ?? step}</h4>
          <p class=${outcome.startsWith('failed') ? 'face act' : ''}>${outcome}</p>
        </li>`,
      )}
    </ol>
  </li>`;
}
