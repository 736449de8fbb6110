// Why the verdicts are what they are, region by region and source by source; and what was proved, blocked and held.
import { html } from 'htm/preact';
import type { Status, StatusRegion, StatusVip } from '../../../shared/api.ts';
import { Age, ProbeWindow, ProofFace, VerdictFace } from './faces.ts';
import type { MildWish } from './reason-dialog.ts';
import { durationText, shortenPaths } from './text.ts';

export function Evidence({ status, vip }: { status: Status; vip: StatusVip }) {
  return html`<table class="evidence-table">
    <thead>
      <tr><th scope="col">region</th><th scope="col">verdict</th><th scope="col">sources</th></tr>
    </thead>
    <tbody>
      ${vip.regions.map(
        (region) => html`<tr key=${region.region}>
          <th scope="row">${region.region}</th>
          <td><${VerdictFace} verdict=${region.verdict} /><br /><span class="age">for ${durationText(status.nowMs - region.verdictSinceMs)}</span></td>
          <td>
            <${Sources} region=${region} />
            ${region.nvas.map((nva) => html`<div key=${nva.nva}><${ProbeWindow} window=${nva.window} /> <span class="age">${nva.nva}</span></div>`)}
          </td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}

function Sources({ region }: { region: StatusRegion }) {
  if (region.sources === undefined) return html`<p>${region.detail}</p>`;
  return html`<ul class="sources">
    ${region.sources.map(
      ({ source, says, ageMs, detail }) => html`<li key=${source}>
        <b>${source}</b> ${says === 'absent' ? '? says nothing' : html`<${VerdictFace} verdict=${says} />`}
        ${' '}<${Age} ms=${ageMs} />${detail === '' ? '' : html` ${detail}`}
      </li>`,
    )}
  </ul>`;
}

const STEPS = [
  ['agent', 'agent'],
  ['routeServer', 'Route Server'],
  ['circuit', 'circuit'],
  ['observer', 'observer'],
] as const;

export function Proofs({ status, vip }: { status: Status; vip: StatusVip }) {
  return html`<table class="proof-table">
    <thead>
      <tr><th scope="col">region</th>${STEPS.map(([, title]) => html`<th scope="col">${title}</th>`)}</tr>
    </thead>
    <tbody>
      ${vip.regions.map(
        (region) => html`<tr key=${region.region}>
          <th scope="row">${region.region}</th>
          ${STEPS.map(
            ([step]) => html`<td title=${region.proofs[step].detail}>
              <${ProofFace} proof=${region.proofs[step].proof} />
              ${region.proofs[step].atMs === null ? '' : html`<br /><${Age} ms=${status.nowMs - (region.proofs[step].atMs ?? 0)} />`}
              ${region.proofs[step].proof === 'proved' ? '' : html`<br /><span class="because">${shortenPaths(region.proofs[step].detail)}</span>`}
            </td>`,
          )}
        </tr>`,
      )}
    </tbody>
  </table>`;
}

export interface StandingProps {
  readonly status: Status;
  readonly vip: StatusVip;
  readonly refusal: string | undefined;
  readonly onMild: (wish: MildWish) => void;
}

/** What keeps automation from acting, and what it complains about. */
export function Standing({ status, vip, refusal, onMild }: StandingProps) {
  const holds = status.holds.filter((hold) => hold.vip === null || hold.vip === vip.vip);
  const alerts = status.alerts.filter((alert) => alert.vip === null || alert.vip === vip.vip);
  return html`<dl class="standing">
    <dt>blocked</dt>
    ${vip.blocked.length === 0 ? html`<dd>none</dd>` : vip.blocked.map((one) => html`<dd><span class="face look">⊘ ${one.kind} to ${one.region} by ${one.guard}</span>: ${one.detail}</dd>`)}
    <dt>holds</dt>
    ${holds.length === 0 ? html`<dd>none</dd>` : ''}
    ${holds.map(
      (hold) => html`<dd key=${hold.id}>
        <span class="face look">⏸ ${hold.vip ?? 'every vip'}</span> by ${hold.actor} for ${durationText(hold.expiresAtMs - status.nowMs)} more: ${hold.reason}${' '}
        <button type="button" class="quiet" disabled=${refusal !== undefined} title=${refusal ?? ''} onClick=${() => onMild({ type: 'release', id: hold.id })}>Release ${hold.id}</button>
      </dd>`,
    )}
    <${Waiting} status=${status} vip=${vip} refusal=${refusal} onMild=${onMild} />
    <${LastDrill} status=${status} vip=${vip} />
    <dt>alerts</dt>
    ${alerts.length === 0 ? html`<dd>none</dd>` : alerts.map((alert) => html`<dd><span class="face look">! ${alert.reason}</span>: ${alert.detail}</dd>`)}
  </dl>`;
}

function LastDrill({ status, vip }: { status: Status; vip: StatusVip }) {
  const { lastDrill } = vip;
  if (lastDrill === undefined) return '';
  if (lastDrill === null)
    return html`<dt>last drill</dt>
      <dd>none is known</dd>`;
  const { atMs, ok, state, outageMs } = lastDrill;
  return html`<dt>last drill</dt>
    <dd>
      <span class=${`face ${ok ? 'calm' : 'act'}`}>${ok ? '✓ proved' : `✗ ${state}`}</span>${outageMs === null ? '' : `, ${Math.round(outageMs)} ms without an answer`}${' '}
      <${Age} ms=${status.nowMs - atMs} />
    </dd>`;
}

/** What will happen later: arranged by a person, or by the clock. */
function Waiting({ status, vip, refusal, onMild }: StandingProps) {
  const operations = (status.operations ?? []).filter((one) => one.vip === null || one.vip === vip.vip);
  const schedules = (status.schedules ?? []).filter((schedule) => schedule.vip === vip.vip);
  if (operations.length + schedules.length === 0) return '';
  const left = (atMs: number) => durationText(atMs - status.nowMs);
  return html`<dt>to come</dt>
    ${operations.map(
      (one) => html`<dd key=${one.id}>
        <b>${one.kind}</b> ${one.region ?? ''} by ${one.actor}${(one.notBeforeMs ?? 0) > status.nowMs ? ` in ${left(one.notBeforeMs ?? 0)}` : ', waits for its turn'}: ${one.reason}${' '}
        <button type="button" class="quiet" disabled=${!(refusal === undefined || refusal.includes(one.id))} onClick=${() => onMild({ type: 'cancel', id: one.id })}>Cancel ${one.id}</button>
      </dd>`,
    )}
    ${schedules.map(
      ({ schedule, kind, nextAtMs, last }) => html`<dd key=${schedule}>
        <b>${schedule}</b> (${kind}) ${nextAtMs === null ? 'turned off' : `in ${left(nextAtMs)}`}${last ? `, last time ${last.outcome}` : ''}
      </dd>`,
    )}`;
}
