// What happened to a vip: who acted when as a bar, every decision below it with its reason, steps and records.
import { html } from 'htm/preact';
import { useState } from 'preact/hooks';
import type { StatusVip } from '../../../shared/api.ts';
import type { AuditRecord } from '../../../shared/audit.ts';
import { clockText, durationText } from './text.ts';
import { actingSegments, type Entry, entryText, timelineEntries } from './timeline-model.ts';

const ZOOMS = [
  [3600_000, '1 h'],
  [24 * 3600_000, '24 h'],
  [7 * 24 * 3600_000, '7 d'],
] as const;

const KIND_GLYPHS: Readonly<Record<string, string>> = {
  decision: '→',
  blocked: '⊘',
  hold: '⏸',
  alert: '!',
  intent: '✎',
  drill: '↻',
};

export interface TimelineProps {
  readonly vip: StatusVip;
  readonly records: readonly AuditRecord[];
  /** By the control plane's clock. */
  readonly nowMs: number;
  /** Shows the map as it was then. */
  readonly onThen: (entry: Entry) => void;
}

export function Timeline({ vip, records, nowMs, onThen }: TimelineProps) {
  const [spanMs, setSpanMs] = useState<number>(24 * 3600_000);
  const entries = timelineEntries(records).filter((entry) => Date.parse(entry.time) >= nowMs - spanMs);
  return html`<div class="zoom" role="group" aria-label="zoom">
      ${ZOOMS.map(([ms, text]) => html`<button type="button" key=${text} aria-pressed=${ms === spanMs} onClick=${() => setSpanMs(ms)}>${text}</button>`)}
    </div>
    ${vip.mode === 'active-active' ? '' : html`<${RoleBar} vip=${vip} records=${records} fromMs=${nowMs - spanMs} toMs=${nowMs} />`}
    ${entries.length === 0 ? html`<p>Nothing was decided in this time.</p>` : ''}
    <ol class="entries">${entries.map((entry) => html`<${Row} key=${entry.id} entry=${entry} onThen=${onThen} />`)}</ol>`;
}

function RoleBar({
  vip,
  records,
  fromMs,
  toMs,
}: {
  vip: StatusVip;
  records: readonly AuditRecord[];
  fromMs: number;
  toMs: number;
}) {
  const segments = actingSegments(records, vip.acting, { fromMs, toMs });
  const indexOf = (region: string) => vip.regions.findIndex((candidate) => candidate.region === region) + 1;
  const words = segments
    .map(({ region, fromMs: from, toMs: to }) => `${region} for ${durationText(to - from)}`)
    .join(', then ');
  return html`<p class="bar-words">primary: ${words}</p>
    <div class="bar" aria-hidden="true">
      ${segments.map(
        ({ region, fromMs: from, toMs: to }) => html`<span
          key=${from}
          class=${`segment series-${indexOf(region)}`}
          style=${{ flexGrow: String(to - from) }}
          title=${`${region}, ${durationText(to - from)}`}
        >${(to - from) / (toMs - fromMs) > 0.15 ? region : ''}</span>`,
      )}
    </div>`;
}

function Row({ entry, onThen }: { entry: Entry; onThen: (entry: Entry) => void }) {
  const day = entry.time.slice(5, 10);
  return html`<li>
    <details>
      <summary>
        <time datetime=${entry.time}>${day} ${clockText(entry.time)}</time>
        <span class="actor">${entry.isAutomatic ? 'auto' : entry.actor}</span>
        <span class="kind"><span aria-hidden="true">${KIND_GLYPHS[entry.kind] ?? '·'}</span> ${entry.kind}</span>
        <b>${entry.reason}</b>
        <span class="text">${entry.text}</span>
      </summary>
      <table class="trail">
        <caption>Everything on record of this decision (UTC)</caption>
        <tbody>
          ${entry.trail.map(
            (record) => html`<tr key=${record.EventId}>
              <td><time datetime=${record.TimeGenerated}>${clockText(record.TimeGenerated)}</time></td>
              <td>${record.Kind}</td>
              <td>${record.Nva || record.Region || record.Actor}</td>
              <td>${record.Reason}</td>
              <td>${entryText(record)}</td>
              <td class="age" title=${record.EventId}>generation ${record.Generation}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </details>
    <button type="button" class="quiet" aria-label=${`map then: ${day} ${clockText(entry.time)} ${entry.reason}`} onClick=${() => onThen(entry)}>map then</button>
  </li>`;
}
