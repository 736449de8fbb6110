// Latency since the page was opened: probes of each region and answers to each observer, drawn, and as a table below.
import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { StatusVip } from '../../../shared/api.ts';
import { latencyText } from './text.ts';

/** One hour at one sample in two seconds. */
const SAMPLES_MAX = 1800;
const HEIGHT = 150;
/** The first samples are not stretched over the whole width. */
const SPAN_SECONDS_MIN = 60;

export interface Series {
  readonly label: string;
  readonly values: (number | null)[];
}

/** Samples of one vip; grows in place, for there are many. */
export interface LatencyHistory {
  readonly times: number[];
  readonly series: Map<string, (number | null)[]>;
}

export const newHistory = (): LatencyHistory => ({ times: [], series: new Map() });

/** Adds what a status told; the same status twice is one sample. @param atMs epoch ms of the status */
export function addSample(history: LatencyHistory, vip: StatusVip, atMs: number): void {
  if (history.times.at(-1) === atMs / 1000) return;
  const sample = new Map<string, number | null>();
  for (const { region, nvas } of vip.regions) {
    const known = nvas.flatMap(({ latencyMs }) => latencyMs ?? []);
    sample.set(`${region} probe`, known.length === 0 ? null : Math.max(...known));
  }
  for (const { observer, firstByteMs } of vip.observers ?? []) sample.set(`${observer} answered`, firstByteMs);
  for (const [label, value] of sample) {
    const values = history.series.get(label) ?? history.times.map(() => null);
    values.push(value);
    history.series.set(label, values);
  }
  history.times.push(atMs / 1000);
  for (const values of history.series.values()) {
    while (values.length < history.times.length) values.push(null);
    if (values.length > SAMPLES_MAX) values.shift();
  }
  if (history.times.length > SAMPLES_MAX) history.times.shift();
}

/** A canvas knows no variables: an element resolves them, and with them dark or light. */
function colour(name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}
/** Told apart by dashes too, not by colour alone. */
const STROKES = [
  ['--series-1', []],
  ['--series-2', [6, 3]],
  ['--series-3', [2, 3]],
  ['--series-4', [8, 3, 2, 3]],
] as const;

function options(width: number, labels: readonly string[]): uPlot.Options {
  const axis = {
    stroke: colour('--ink'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line') },
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    axes: [axis, { ...axis, size: 55, values: (_plot, ticks) => ticks.map((tick) => `${tick} ms`) }],
    scales: {
      x: { range: (_plot, min, max) => [Math.min(min, max - SPAN_SECONDS_MIN), max] },
      y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.1)] },
    },
    series: [
      {},
      ...labels.map((label, i) => {
        const [stroke, dash] = STROKES[i % STROKES.length] ?? STROKES[0];
        return { label, stroke: colour(stroke), width: 2, dash: [...dash], points: { show: false } };
      }),
    ],
  };
}

/** @param version changes with every sample */
export function LatencyPlot({ history, version }: { history: LatencyHistory; version: number }) {
  const target = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const labels = [...history.series.keys()];
  // One sample is no line yet.
  const key = history.times.length < 2 ? '' : labels.join();
  useEffect(() => {
    const element = target.current;
    if (element === null || key === '') return;
    const fit = (): void => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT });
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element.clientWidth || 300, labels), dataOf(history), element);
    };
    draw();
    const resized = new ResizeObserver(fit);
    resized.observe(element);
    const theme = matchMedia('(prefers-color-scheme: dark)');
    theme.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      theme.removeEventListener('change', draw);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [key]);
  useEffect(() => plot.current?.setData(dataOf(history)), [version]);
  return html`<div class="plot" ref=${target} aria-hidden="true"></div>
    <${LatencyTable} history=${history} />`;
}

const dataOf = ({ times, series }: LatencyHistory): uPlot.AlignedData => [
  [...times],
  ...[...series.values()].map((values) => [...values]),
];

function LatencyTable({ history }: { history: LatencyHistory }) {
  return html`<table class="latency-table">
    <thead>
      <tr><th scope="col">latency</th><th scope="col">now</th><th scope="col">lowest</th><th scope="col">highest</th></tr>
    </thead>
    <tbody>
      ${[...history.series].map(([label, values], i) => {
        const known = values.filter((value) => value !== null);
        return html`<tr key=${label}>
          <th scope="row"><span class=${`swatch series-${(i % STROKES.length) + 1}`} aria-hidden="true"></span>${label}</th>
          <td>${latencyText(values.at(-1) ?? null)}</td>
          <td>${known.length === 0 ? '-' : latencyText(Math.min(...known))}</td>
          <td>${known.length === 0 ? '-' : latencyText(Math.max(...known))}</td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}
