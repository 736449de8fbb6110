// Everything about one vip: who serves it, what can be done, the path, the evidence, the proofs and the history.
import { html } from 'htm/preact';
import { useRef, useState } from 'preact/hooks';
import type { AuditPage, Status, StatusVip } from '../../../shared/api.ts';
import type { AuditRecord } from '../../../shared/audit.ts';
import { Actions } from './actions.ts';
import type { Wish } from './actions-model.ts';
import type { Answer, ControlPlane } from './control-plane.ts';
import { Evidence, Proofs, Standing } from './evidence.ts';
import { Area, Face } from './faces.ts';
import { useFeed } from './feed.ts';
import { lastKnown, vipState } from './fleet-model.ts';
import { addSample, type LatencyHistory, LatencyPlot, newHistory } from './latency-plot.ts';
import { PathMap } from './path-map.ts';
import type { MildWish } from './reason-dialog.ts';
import { durationText } from './text.ts';
import { ThenMap } from './then-map.ts';
import { policyThen } from './then-model.ts';
import { Timeline } from './timeline.ts';
import type { Entry } from './timeline-model.ts';

const SLOW_PERIOD_MS = 5000;
const RECORDS_MAX = 1000;
/** Read at first; after that only what is new. */
const RECORDS_FIRST = 300;

export interface DetailProps {
  readonly plane: ControlPlane;
  readonly status: Status;
  readonly vip: StatusVip;
  readonly ageMs: number;
  readonly isStale: boolean;
  readonly refusal: string | undefined;
  readonly onAsk: (wish: Wish) => void;
  readonly onMild: (wish: MildWish) => void;
}

/** The newest records of a vip, then whatever was added. */
export async function readRecords(
  plane: ControlPlane,
  vip: string,
  known: readonly AuditRecord[] | undefined,
): Promise<Answer<AuditRecord[]>> {
  const last = known?.at(-1)?.EventId;
  const from = last === undefined ? `last=${RECORDS_FIRST}` : `after=${encodeURIComponent(last)}`;
  const answer = await plane.get<AuditPage>(`/audit?vip=${encodeURIComponent(vip)}&${from}`);
  if (!answer.ok) return answer;
  const seen = new Set((known ?? []).map(({ EventId }) => EventId));
  const added = answer.value.records.filter(({ EventId }) => !seen.has(EventId));
  return { ...answer, value: [...(known ?? []), ...added].slice(-RECORDS_MAX) };
}

export function VipDetail(props: DetailProps) {
  const { plane, status, vip, ageMs, isStale, refusal } = props;
  // After a decision nobody should wait for the next slow look.
  const news = `${status.epoch}.${status.generation} ${vip.acting}`;
  const explained = useFeed<{ lines: string[] }>(
    `explain ${vip.vip}`,
    SLOW_PERIOD_MS,
    () => plane.get(`/explain/${encodeURIComponent(vip.vip)}`),
    news,
  );
  const records = useFeed<AuditRecord[]>(
    `audit ${vip.vip}`,
    SLOW_PERIOD_MS,
    (known) => readRecords(plane, vip.vip, known),
    news,
  );
  const histories = useRef(new Map<string, LatencyHistory>());
  const history = histories.current.get(vip.vip) ?? newHistory();
  histories.current.set(vip.vip, history);
  addSample(history, vip, status.nowMs);
  const fresh = { isStale, ageMs };
  const [chosen, choose] = useState<{ readonly vip: string; readonly entry: Entry } | undefined>(undefined);
  const then =
    chosen?.vip === vip.vip && records.value !== undefined ? policyThen(vip, records.value, chosen.entry) : undefined;
  return html`<main>
    <${Summary} ...${props} />
    ${
      then === undefined
        ? html`<${Area} title="Path" name="path" ...${fresh}><${PathMap} status=${status} vip=${vip} ageMs=${ageMs} /><//>`
        : html`<${Area} title="Path then" name="path"><${ThenMap} then=${then} onNow=${() => choose(undefined)} /><//>`
    }
    <div class="pair">
      <div class="column">
        <${Area} title="Evidence" name="evidence" ...${fresh}><${Evidence} status=${status} vip=${vip} /><//>
        <${Area} title="Latency since this page was opened" name="latency" ...${fresh}><${LatencyPlot} key=${vip.vip} history=${history} version=${status.nowMs} /><//>
      </div>
      <div class="column">
        <${Area} title="Proof" name="proof" ...${fresh}>
          <${Proofs} status=${status} vip=${vip} />
          <${Standing} status=${status} vip=${vip} refusal=${refusal} onMild=${props.onMild} />
        <//>
        <${Area} title="Why" name="why" problem=${explained.problem}>
          <pre tabindex="0" aria-label="explanation">${explained.value?.lines.join('\n') ?? 'not explained yet'}</pre>
        <//>
      </div>
    </div>
    <${Area} title="History" name="history" problem=${records.problem}>
      ${records.value === undefined ? html`<p>${records.problem ? 'No records could be read.' : 'Reading the audit.'}</p>` : html`<${Timeline} vip=${vip} records=${records.value} nowMs=${status.nowMs + ageMs} onThen=${(entry: Entry) => choose({ vip: vip.vip, entry })} />`}
    <//>
  </main>`;
}

function Summary({ status, vip, isStale, refusal, onAsk }: DetailProps) {
  const served =
    vip.mode === 'active-active'
      ? 'all members act'
      : `${vip.acting} acts for ${durationText(status.nowMs - vip.actingSinceMs)}`;
  return html`<section class="summary" aria-labelledby="vip-title">
    <h2 id="vip-title">${vip.vip} <span class="age">${vip.prefix}</span> <${Face} ...${isStale ? lastKnown(vipState(vip, status)) : vipState(vip, status)} /></h2>
    <p>
      <b>${vip.servedBy === null ? 'served by nobody that an observer saw' : `served by ${vip.servedBy}`}</b>, ${served}${vip.reason === '' ? '' : html` · <b>${vip.reason}</b>: ${vip.detail}`}
    </p>
    <${Actions} vip=${vip} refusal=${refusal} onAsk=${onAsk} />
  </section>`;
}
