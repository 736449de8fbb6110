// Small data-plane configurations for tests, and a stand-in for the commands that a data plane runs.

import type { Execute, ExecuteOptions } from '../../nva-agent/dataplane/execution.ts';
import type { DataPlaneConfig, DataPlaneVip } from '../../nva-agent/dataplane/plan.ts';
import { OperatingError } from '../../shared/errors.ts';

export const orders = (more: Partial<DataPlaneVip> = {}): DataPlaneVip => ({
  vip: 'orders',
  address: '192.0.2.10',
  mode: 'reverse-proxy',
  appHost: '10.1.2.10',
  ports: [{ listen: 80, to: 8080, protocol: 'tcp' }],
  idleSeconds: 3600,
  drainSeconds: 300,
  ...more,
});

export const TUNNEL = {
  port: 4789,
  vni: 92,
  mtu: 1450,
  address: '10.1.1.4',
  innerAddress: '169.254.92.1',
  peers: [{ nva: 'ne-nva-1', address: '10.2.1.4', innerAddress: '169.254.92.2' }],
} as const;

export const configWith = (...vips: readonly DataPlaneVip[]): DataPlaneConfig => ({
  nva: 'we-nva-1',
  address: '10.1.1.4',
  vips,
});

export interface CommandRecord {
  readonly argv: readonly string[];
  readonly stdin: string;
}

/** Answers commands from a list of rules, first match first; what matches none answers nothing. Keeps all that was run. */
export function fakeExecute(rules: readonly (readonly [RegExp, string | Error | (() => string)])[]): {
  readonly execute: Execute;
  readonly commands: CommandRecord[];
} {
  const commands: CommandRecord[] = [];
  const execute: Execute = async (argv, options: ExecuteOptions = {}) => {
    commands.push({ argv, stdin: options.stdin ?? '' });
    const answer = rules.find(([pattern]) => pattern.test(argv.join(' ')))?.[1] ?? '';
    if (answer instanceof Error) throw answer;
    const text = typeof answer === 'function' ? answer() : answer;
    if (options.onLine !== undefined) for (const line of text.split('\n').filter(Boolean)) options.onLine(line);
    return options.onLine === undefined ? text : '';
  };
  return { execute, commands };
}

export const refusal = (message = 'refused'): OperatingError =>
  new OperatingError('command-failed', message, { retryable: true });
