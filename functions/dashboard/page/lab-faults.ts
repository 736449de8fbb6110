// Only in the lab: break something and watch.
import { html } from 'htm/preact';
import { useState } from 'preact/hooks';
import type { Status } from '../../../shared/api.ts';
import type { ProblemDocument } from '../../../shared/errors.ts';
import { fetchJson } from './control-plane.ts';
import { Area } from './faces.ts';
import { useFeed } from './feed.ts';

interface ActiveFault {
  readonly id: string;
  readonly kind: string;
  readonly region?: string;
  readonly nvas?: readonly string[];
}

const IN_A_REGION = ['app-crash', 'app-hang', 'app-errors', 'nva-crash', 'partition-control'] as const;
const ANYWHERE = ['storage-down', 'ingestion-down', 'control-crash'] as const;
const PERIOD_MS = 2000;
/** A crashed control plane serves no page that could repair it. */
const CONTROL_CRASH_SECONDS = 20;

export function LabFaults({ origin, status }: { origin: string; status: Status }) {
  const regions = [...new Set(status.vips.flatMap((vip) => vip.regions.map(({ region }) => region)))];
  const [region, setRegion] = useState(regions[0] ?? '');
  const [problem, setProblem] = useState<ProblemDocument | undefined>(undefined);
  const feed = useFeed<{ faults: ActiveFault[] }>(`faults ${origin}`, PERIOD_MS, () =>
    fetchJson(`${origin}/faults`, {}),
  );

  async function send(method: 'POST' | 'DELETE', body?: unknown): Promise<void> {
    const init = {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    };
    const answer = await fetchJson(`${origin}/faults`, init);
    setProblem(answer.ok ? undefined : answer.problem);
  }
  const button = (kind: string, more: object) =>
    html`<button type="button" key=${kind} onClick=${() => send('POST', { kind, ...more })}>${kind}</button>`;
  const active = feed.value?.faults ?? [];
  return html`<${Area} title="Lab: break something" name="lab" problem=${problem ?? feed.problem}>
    <p class="buttons">
      <label>in <select value=${region} onChange=${(event: Event) => setRegion((event.target as HTMLSelectElement).value)}>
        ${regions.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select></label>
      ${IN_A_REGION.map((kind) => button(kind, { region }))}
    </p>
    <p class="buttons">${ANYWHERE.map((kind) => button(kind, kind === 'control-crash' ? { seconds: CONTROL_CRASH_SECONDS } : {}))}
      <button type="button" class="primary" onClick=${() => send('DELETE')}>Repair everything</button>
    </p>
    <p>broken now: ${active.length === 0 ? 'nothing' : active.map(({ kind, region: where }) => `${kind}${where ? ` ${where}` : ''}`).join(', ')}</p>
  <//>`;
}
