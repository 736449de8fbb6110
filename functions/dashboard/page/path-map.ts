// The live path of one vip: on-premises, edge, both Route Server instances, NVAs and application of every region; a double
// line where traffic goes. A list in reading order underneath: one hop after the other.
import { html } from 'htm/preact';
import type { Status, StatusNva, StatusRegion, StatusVip } from '../../../shared/api.ts';
import { ROUTE_SERVER_ASN } from '../../../shared/asn.ts';
import { Age, AsPath, Face, ProbeWindow, ProofFace, roleText, VerdictFace } from './faces.ts';
import { latencyText, percentText, rateText, shortPeer } from './text.ts';

export interface MapProps {
  readonly status: Status;
  readonly vip: StatusVip;
  /** Since the answer came. */
  readonly ageMs: number;
}

const isOld = (ageMs: number | null, status: Status): boolean =>
  ageMs === null || ageMs > 3000 * (status.timing?.reportSeconds ?? 10);

export function PathMap({ status, vip, ageMs }: MapProps) {
  const best = vip.servedBy ?? vip.acting;
  return html`<div class="map">
    <${OnPremises} status=${status} vip=${vip} ageMs=${ageMs} />
    <ol class="regions">
      ${vip.regions.map((region) => {
        const isBest = vip.mode === 'active-active' ? region.role === 'primary' : region.region === best;
        return html`<li key=${region.region} class=${isBest ? 'best' : 'other'}>
          <h3><span class="carrying" aria-hidden="true">${isBest ? '+' : '-'}</span> ${region.region} <span class="role">${roleText(region.role)}${isBest ? ', carries traffic' : ''}</span></h3>
          <ol class="hops">
            <${EdgeHop} status=${status} region=${region} />
            <${RouteServerHop} status=${status} region=${region} />
            ${region.nvas.map((nva) => html`<${NvaHop} key=${nva.nva} status=${status} region=${region} nva=${nva} ageMs=${ageMs} />`)}
            <${AppHop} region=${region} />
          </ol>
        </li>`;
      })}
    </ol>
  </div>`;
}

function OnPremises({ status, vip, ageMs }: MapProps) {
  const observers = vip.observers ?? [];
  return html`<div class="hop on-premises">
    <h3>on-premises</h3>
    ${observers.length === 0 ? html`<p class="unknown">? no observer looks</p>` : ''}
    ${observers.map((observer) => {
      const age = observer.ageMs + ageMs;
      return html`<p key=${observer.observer} class=${isOld(age, status) ? 'stale' : ''}>
        <b>${observer.observer}</b>${' '}
        ${observer.answeredBy === null ? html`<${Face} glyph="✕" word="no answer" tone="act" />` : html`answered by ${observer.answeredBy}`}
        <br />${latencyText(observer.firstByteMs)}, ${observer.failures} of ${observer.requests} failed${typeof observer.loss === 'number' ? html`, <span class=${observer.loss > 0 ? 'face look' : ''}>${percentText(observer.loss)} lost lately</span>` : ''}${observer.throughput ? `, ${rateText(observer.throughput.bytesPerSecond)}` : ''} <${Age} ms=${age} />
      </p>`;
    })}
  </div>`;
}

/** What the region's instances hold, or were told as long as nobody looked. */
const shownPath = (region: StatusRegion): readonly number[] | null => {
  const sessions = region.nvas.flatMap((nva) => nva.sessions);
  const learned = sessions.find((session) => session.learned?.asPath)?.learned?.asPath;
  return learned ?? sessions.find((session) => session.asPath !== null)?.asPath ?? null;
};

function EdgeHop({ status, region }: { status: Status; region: StatusRegion }) {
  const path = shownPath(region);
  const isExpressRoute = status.transport !== 'vpn';
  return html`<li class="hop">
    <h4>${isExpressRoute ? 'circuit' : 'gateway'}</h4>
    ${path === null ? html`<span class="as-path">no route</span>` : html`<${AsPath} path=${[ROUTE_SERVER_ASN, ...path]} stripped=${isExpressRoute} />`}
    <p><${ProofFace} proof=${region.proofs.circuit.proof} />${' '}<${ProofAge} region=${region} step="circuit" nowMs=${status.nowMs} /></p>
  </li>`;
}

function ProofAge({
  region,
  step,
  nowMs,
}: {
  region: StatusRegion;
  step: keyof StatusRegion['proofs'];
  nowMs: number;
}) {
  const { atMs } = region.proofs[step];
  return atMs === null ? '' : html`<${Age} ms=${nowMs - atMs} />`;
}

function RouteServerHop({ status, region }: { status: Status; region: StatusRegion }) {
  const instances = region.nvas.flatMap((nva) => nva.sessions.map((session) => ({ ...session, nva: nva.nva })));
  const isAmbiguous = region.nvas.length > 1;
  return html`<li class="hop">
    <h4>Route Server</h4>
    ${instances.length === 0 ? html`<p class="unknown">? no session reported</p>` : ''}
    ${instances.map(({ peer, nva, state, asPath, learned }) => {
      const held = learned === undefined ? asPath : learned.asPath;
      const isDifferent = learned !== undefined && asPath !== null && learned.asPath?.join() !== asPath.join();
      return html`<p key=${nva + peer}>
        <b title=${peer}>${shortPeer(peer)}</b>${isAmbiguous ? html` <span class="age">${nva}</span>` : ''}${' '}
        ${state === 'Established' ? '' : html`<${Face} glyph="✕" word=${state} tone="act" />`}
        ${held === null ? html`<span class="as-path">no route</span>` : html`<${AsPath} path=${held} />`}
        ${isDifferent && asPath ? html`<span class="face moving">expected <${AsPath} path=${asPath} /></span>` : ''}
        ${learned === undefined ? html`<span class="age">as told, not looked at</span>` : html`<${Age} ms=${status.nowMs - learned.atMs} />`}
      </p>`;
    })}
    <p><${ProofFace} proof=${region.proofs.routeServer.proof} /></p>
  </li>`;
}

function NvaHop({
  status,
  region,
  nva,
  ageMs,
}: {
  status: Status;
  region: StatusRegion;
  nva: StatusNva;
  ageMs: number;
}) {
  const age = nva.reportAgeMs === null ? null : nva.reportAgeMs + ageMs;
  const up = nva.sessions.filter(({ state }) => state === 'Established').length;
  return html`<li class=${`hop ${isOld(age, status) ? 'stale' : ''}`}>
    <h4>${nva.nva}</h4>
    <p>${isOld(age, status) ? '? unknown, last: ' : ''}${nva.lastResort ? 'ordered ' : ''}r${region.rung} ×${region.prepend}, sessions ${up}/${nva.sessions.length}</p>
    ${nva.lastResort ? html`<p><${Face} glyph="✕" word="last resort, its own decision" tone="act" /></p>` : ''}
    <p>${nva.acknowledged ? `generation ${nva.order?.generation ?? '?'} acknowledged` : html`<${Face} glyph="…" word="behind the newest order" tone="moving" />`} <${Age} ms=${age} /></p>
  </li>`;
}

function AppHop({ region }: { region: StatusRegion }) {
  return html`<li class="hop">
    <h4>application</h4>
    <p><${VerdictFace} verdict=${region.verdict} /></p>
    ${region.nvas.map((nva) => html`<p key=${nva.nva}><${ProbeWindow} window=${nva.window} /> ${latencyText(nva.latencyMs)}</p>`)}
  </li>`;
}
