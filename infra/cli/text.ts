// Small pure texts every verb uses: tables, ages, clock times, AS paths.
import Table from 'cli-table3';

const BARE = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '   ',
};

/** Upper-case headings, three spaces between columns, no lines: one row per thing, so that grep works. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const table = new Table({
    head: [...head],
    chars: BARE,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...rows.map((row) => row.map((cell) => (cell === '' ? '-' : cell))));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

/** Tab separated, for pipes. */
export const renderTsv = (head: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  [head, ...rows].map((row) => row.map((cell) => (cell === '' ? '-' : cell)).join('\t'));

/** `9d4h`, `3m10s`, `5s`: two units at most. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const units: [number, string][] = [
    [86400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
  ];
  const first = units.findIndex(([size]) => seconds >= size);
  if (first < 0) return '0s';
  let rest = seconds;
  return units.slice(first, first + 2).reduce((text, [size, name]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count === 0 ? text : `${text}${count}${name}`;
  }, '');
}

/** `03:14:02Z`: logs and colleagues in other regions speak UTC. */
export const formatClock = (epochMs: number): string => `${new Date(epochMs).toISOString().slice(11, 19)}Z`;

/** `65001 64500×12`: the length is the signal, so repetitions are counted, not hidden. */
export function formatPath(path: readonly number[]): string {
  const runs: { asn: number; count: number }[] = [];
  for (const asn of path) {
    const last = runs.at(-1);
    if (last?.asn === asn) last.count += 1;
    else runs.push({ asn, count: 1 });
  }
  return runs.map(({ asn, count }) => (count === 1 ? String(asn) : `${asn}×${count}`)).join(' ');
}

/** `60`, `60s`, `10m`, `2h`, `1d` as seconds, or undefined. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,7})(s|m|h|d)?$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * ({ s: 1, m: 60, h: 3600, d: 86400 }[match[2] ?? 's'] ?? 1);
}
