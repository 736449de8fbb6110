// The test's end of an NVA process: the data plane's own methods, over messages.
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DataPlane } from '../../nva-agent/dataplane/data-plane.ts';
import type { DataPlaneConfig } from '../../nva-agent/dataplane/plan.ts';
import type { SecondChance } from '../../nva-agent/dataplane/second-chance.ts';
import { type Network, NODE } from './network.ts';
import type { NvaRequest } from './nva-process.ts';

export interface TestNva
  extends Pick<DataPlane, 'apply' | 'remove' | 'status'>,
    Pick<SecondChance, 'arm' | 'askBack' | 'disarm'> {
  readonly folder: string;
  readonly child: ChildProcess;
  drain(vip: string): ReturnType<DataPlane['drain']>;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly problem?: string;
}

export function startNva(network: Network, host: string, config: DataPlaneConfig): TestNva {
  const folder = join(network.folder, host);
  mkdirSync(folder, { recursive: true });
  const script = join(import.meta.dirname, 'nva-process.ts');
  const child = network.start(host, [...NODE, script, folder, JSON.stringify(config)], true);
  const waiting = new Map<number, (answer: Answer) => void>();
  let lastId = 0;
  child.on('message', (message) => {
    const answer = message as Answer;
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  child.once('exit', () => {
    for (const [id, settle] of waiting) settle({ id, problem: `${host} has ended` });
    waiting.clear();
  });
  const ask = <T>(method: NvaRequest['method'], args: readonly unknown[]): Promise<T> =>
    new Promise((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, ({ value, problem }) =>
        problem === undefined ? resolve(value as T) : reject(new Error(problem)),
      );
      const given = args.filter((arg) => arg !== undefined);
      // A process that has ended answers by its exit.
      if (child.connected) child.send({ id: lastId, method, args: given }, () => undefined);
      else reject(new Error(`${host} has ended`));
    });
  return {
    folder,
    child,
    apply: (wanted) => ask('apply', [wanted]),
    remove: (graceMs) => ask('remove', [graceMs]),
    status: () => ask('status', []),
    drain: (vip) => ask('drain', [vip]),
    arm: (vip, options) => ask('arm', [vip, options]),
    askBack: (vip, peers, waitMs) => ask('askBack', [vip, peers, waitMs]),
    disarm: (vip) => ask('disarm', [vip]),
  };
}
