// The command line of the lab: options, usage, and what is wrong with them.
import { parseArgs } from 'node:util';
import { err, type Finding, ok, type Result } from '../../shared/result.ts';

export const USAGE = `usage: npm start -- [options]
  --demo                    tell the story by itself: crash, failover, failback, drill; ends with one JSON line
  --topology FILE           run this anycast.yaml on loopback instead of infra/lab/lab.yaml
  --port N                  port of the control plane's HTTP API (default 7071; 0: any free one)
  --control-port N          port of the lab's own API (default 7070; 0: any free one)
  --seats N                 seats of the control plane, one process each (default 1)
  --client-ms N             the client asks every vip this often (default 20)
  --route-change-seconds N  Route Server applies one change per prefix in this time, as Azure does with 30 (default 0)
  --keep                    leave the run directory behind
  --help                    this text`;

export interface LabArguments {
  readonly demo: boolean;
  readonly help: boolean;
  readonly topology: string | undefined;
  readonly port: number;
  readonly controlPort: number;
  readonly seats: number;
  readonly clientMs: number;
  readonly routeChangeSeconds: number;
  readonly keep: boolean;
}

interface Range {
  readonly option: string;
  readonly fallback: number;
  readonly least: number;
  readonly most: number;
}

const RANGES = {
  port: { option: 'port', fallback: 7071, least: 0, most: 65535 },
  controlPort: { option: 'control-port', fallback: 7070, least: 0, most: 65535 },
  seats: { option: 'seats', fallback: 1, least: 1, most: 8 },
  clientMs: { option: 'client-ms', fallback: 20, least: 5, most: 10_000 },
  routeChangeSeconds: { option: 'route-change-seconds', fallback: 0, least: 0, most: 300 },
} as const satisfies Record<string, Range>;

/** The options, or everything that is wrong with them. */
export function parseLabArguments(args: readonly string[]): Result<LabArguments> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const numbers = Object.fromEntries(Object.values(RANGES).map(({ option }) => [option, text]));
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { ...numbers, demo: flag, help: flag, keep: flag, topology: text },
    });
    const wrong: Finding[] = [];
    const number = (range: Range): number => {
      const given = (values as Record<string, unknown>)[range.option] as string | undefined;
      if (given === undefined) return range.fallback;
      const value = Number(given);
      const isGood = /^\d+$/.test(given) && value >= range.least && value <= range.most;
      if (!isGood)
        wrong.push(finding(`--${range.option}`, `${given} is not a number from ${range.least} to ${range.most}`));
      return value;
    };
    const parsed: LabArguments = {
      demo: values.demo === true,
      help: values.help === true,
      keep: values.keep === true,
      topology: typeof values.topology === 'string' ? values.topology : undefined,
      port: number(RANGES.port),
      controlPort: number(RANGES.controlPort),
      seats: number(RANGES.seats),
      clientMs: number(RANGES.clientMs),
      routeChangeSeconds: number(RANGES.routeChangeSeconds),
    };
    return wrong.length === 0 ? ok(parsed) : err(wrong);
  } catch (error) {
    return err([finding('', error instanceof Error ? error.message : String(error))]);
  }
}

const finding = (path: string, message: string): Finding => ({ path, code: 'bad-option', message });
