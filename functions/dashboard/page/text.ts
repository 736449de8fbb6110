// Words and numbers as the page shows them. Pure.
import { isPrivateAsn } from '../../../shared/asn.ts';

/** `9d4h`, `2m30s`, `5s`: the two largest units, as everywhere in the product. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor((seconds % 86_400) / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'm'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return '0s';
  return parts
    .slice(first, first + 2)
    .flatMap(([count, unit]) => (count > 0 ? [`${count}${unit}`] : []))
    .join('');
}

export const latencyText = (ms: number | null): string =>
  ms === null ? 'no answer' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

/** `03:14:02` in UTC, which is what logs and colleagues elsewhere use. */
export const clockText = (iso: string): string => iso.slice(11, 19);

/** Equal AS numbers in a row, with how many there are: length is the signal, so it is written out. */
export interface AsRun {
  readonly asn: number;
  readonly count: number;
  /** The edge of ExpressRoute takes it out before on-premises sees the path. */
  readonly isStripped: boolean;
}

/** @param stripLeadingPrivate the path beyond an ExpressRoute edge: leading private numbers vanish there. */
export function asRuns(path: readonly number[], stripLeadingPrivate = false): AsRun[] {
  const runs: AsRun[] = [];
  let isLeading = stripLeadingPrivate;
  for (const asn of path) {
    isLeading = isLeading && isPrivateAsn(asn);
    const last = runs.at(-1);
    if (last?.asn === asn && last.isStripped === isLeading) runs[runs.length - 1] = { ...last, count: last.count + 1 };
    else runs.push({ asn, count: 1, isStripped: isLeading });
  }
  return runs;
}

export const runText = ({ asn, count }: AsRun): string => (count === 1 ? String(asn) : `${asn}×${count}`);
export const pathText = (path: readonly number[]): string => asRuns(path).map(runText).join(' ');

/** One argument of a POSIX shell. */
export const shellWord = (word: string): string =>
  /^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** The last part of an address tells two instances apart: `.4`; a port does where the address is the same. */
export const shortPeer = (peer: string): string =>
  peer.replace(/^\d+\.\d+\.\d+(\.\d+)$/, '$1').replace(/^127\.0\.0\.1(:\d+)$/, '$1');

/** Repeated AS numbers within a sentence, written out as everywhere else. */
export const shortenPaths = (text: string): string =>
  text.replace(/\b(\d+)(?: \1\b)+/g, (run, asn: string) => `${asn}×${run.split(' ').length}`);

/** `2026-03-14T04:14` by this computer's clock, as a field for date and time wants it. */
export function localTime(epochMs: number): string {
  const offsetMs = new Date(epochMs).getTimezoneOffset() * 60_000;
  return new Date(epochMs - offsetMs).toISOString().slice(0, 16);
}

/** Bytes per second as people say it, at most three digits. */
export function rateText(bytesPerSecond: number): string {
  const [size, unit] = bytesPerSecond >= 1e6 ? [1e6, 'MB/s'] : [1e3, 'kB/s'];
  const value = bytesPerSecond / size;
  return `${value >= 100 ? Math.round(value) : Math.round(value * 10) / 10} ${unit}`;
}

/** A share (0 to 1) with one place: small losses matter. */
export const percentText = (share: number): string => `${Math.round(share * 1000) / 10} %`;
