// Reads what HAProxy answers on its sockets: processes (master) and statistics (worker). Text in, values out.
import { vipOfProxy } from './haproxy-config.ts';

export interface HaproxyWorkers {
  readonly current: readonly number[];
  /** Replaced ones that finish their connections. */
  readonly old: readonly number[];
}

/** Process ids from the master's `show proc`. */
export function parseWorkers(text: string): HaproxyWorkers {
  const current: number[] = [];
  const old: number[] = [];
  let section = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) section = line;
    const match = /^(\d+)\s+worker\s/.exec(line);
    if (match !== null) (section.startsWith('# old') ? old : current).push(Number(match[1]));
  }
  return { current, old };
}

/** The stamp in the worker's `show info`, or undefined when this HAProxy is none of ours. */
export function parseStamp(text: string): string | undefined {
  return /^[Dd]escription: anycast-agent (\S+)$/m.exec(text)?.[1];
}

export interface ProxyFigures {
  readonly proxy: string;
  readonly vip: string;
  /** Client connections that stand now. */
  readonly established: number;
  /** Client connections since the worker began. */
  readonly total: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Frontend rows of the CSV of `show stat`. */
export function parseStatistics(csv: string): ProxyFigures[] {
  const [header = '', ...lines] = csv.split('\n');
  const columns = header.replace(/^# /, '').split(',');
  return lines.flatMap((line) => {
    const cells = line.split(',');
    const cell = (name: string) => cells[columns.indexOf(name)] ?? '';
    if (cell('svname') !== 'FRONTEND') return [];
    return [
      {
        proxy: cell('pxname'),
        vip: vipOfProxy(cell('pxname')),
        established: Number(cell('scur')),
        total: Number(cell('stot')),
        bytesIn: Number(cell('bin')),
        bytesOut: Number(cell('bout')),
      },
    ];
  });
}
