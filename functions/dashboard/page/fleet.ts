// The list of vips, worst first, with a filter; the regions and seats below it.
import { html } from 'htm/preact';
import { useMemo, useState } from 'preact/hooks';
import type { Status } from '../../../shared/api.ts';
import { VERDICT_GLYPHS } from '../../../shared/vocabulary.ts';
import { Face } from './faces.ts';
import { type FleetRow, fleetRows } from './fleet-model.ts';
import { durationText } from './text.ts';

export interface FleetProps {
  readonly status: Status;
  readonly isStale: boolean;
  readonly selected: string | undefined;
  readonly onSelect: (vip: string) => void;
}

export function Fleet({ status, isStale, selected, onSelect }: FleetProps) {
  const [filter, setFilter] = useState('');
  const rows = useMemo(() => fleetRows(status, filter), [status, filter]);
  return html`<nav class="fleet" aria-labelledby="fleet-title">
    <h2 id="fleet-title">Vips</h2>
    <label class="filter">
      filter
      <input type="search" value=${filter} onInput=${(event: Event) => setFilter((event.target as HTMLInputElement).value)} />
    </label>
    ${rows.length === 0 ? html`<p>${status.vips.length === 0 ? 'No vip is decided yet.' : 'No vip fits the filter.'}</p>` : ''}
    <ul class="vips" tabindex="0" aria-label="Vips, worst first">
      ${rows.map((row) => html`<${Row} key=${row.vip.vip} row=${row} nowMs=${status.nowMs} isStale=${isStale} isSelected=${row.vip.vip === selected} onSelect=${onSelect} />`)}
    </ul>
    <${Seats} status=${status} />
  </nav>`;
}

/** The detail says what was last known: here the name needs the room. */
const UNKNOWN = { glyph: '?', word: 'unknown', tone: 'unknown' } as const;

interface RowProps {
  readonly row: FleetRow;
  readonly nowMs: number;
  readonly isStale: boolean;
  readonly isSelected: boolean;
  readonly onSelect: (vip: string) => void;
}

/** Answers come every second or two and hardly ever change a row: one that shows what it showed is not drawn again. */
function Row({ row: { vip, state }, nowMs, isStale, isSelected, onSelect }: RowProps) {
  const face = isStale ? UNKNOWN : state;
  const where = `${vip.mode === 'active-active' ? 'all members' : vip.acting} · ${durationText(nowMs - vip.actingSinceMs)}`;
  const marks = vip.regions.map(({ region, role, verdict }) => `${region} ${role} ${verdict}`).join();
  return useMemo(
    () => html`<li>
    <button type="button" aria-current=${isSelected ? 'true' : undefined} onClick=${() => onSelect(vip.vip)}>
      <span class="name">${vip.vip}</span>
      <${Face} ...${face} />
      <span class="where">${where}</span>
      <span class="marks">${vip.regions.map(({ region, verdict, role }) => html`<span class=${`mark ${verdict}`} title=${`${region} ${role} ${verdict}`}>${VERDICT_GLYPHS[verdict]}</span>`)}</span>
    </button>
  </li>`,
    [vip.vip, face.word, face.tone, where, marks, isSelected, onSelect],
  );
}

function Seats({ status }: { status: Status }) {
  const seats = status.seats ?? [];
  if (seats.length === 0) return '';
  return html`<div class="seats">
    <h3>Seats</h3>
    <ul>
      ${seats.map(
        ({ seat, region, url }) => html`<li>
          ${seat} (${region})${seat === status.leader ? ' leads' : ''}${seat === status.seat ? ', answers here' : html` <a href=${dashboardAt(url)}>dashboard</a>`}
        </li>`,
      )}
    </ul>
    <p class="age">${status.outboxDepth ?? '?'} audit records wait for shipping</p>
  </div>`;
}

/** Only web addresses become links, whatever stands in the topology. */
export const dashboardAt = (url: string): string | undefined =>
  /^https?:\/\//.test(url) ? `${url.replace(/\/$/, '')}/api/dashboard${location.hash}` : undefined;
