// Starts a host on virtual time for a test, with the calls that tests make all the time.
import { createVirtualClock, type VirtualClock } from '../../../../infra/lab/host/clock.ts';
import type { DurableEngine } from '../../../../infra/lab/host/durable-engine.ts';
import { type Host, type HostOptions, startHost } from '../../../../infra/lab/host/host.ts';
import {
  type InstanceStatus,
  instanceStatus,
  raiseEvent,
  startInstance,
} from '../../../../infra/lab/host/management.ts';
import type { HistoryEvent, LogEntry } from '../../../../infra/lab/host/wire.ts';

export const START_MS = Date.UTC(2026, 10, 1);

export interface Harness {
  readonly host: Host;
  readonly clock: VirtualClock;
  readonly engine: DurableEngine;
  readonly logs: LogEntry[];
  /** Starts an instance and returns its id. */
  start(name: string, input?: unknown, instanceId?: string): string;
  raise(id: string, name: string, data?: unknown): void;
  settle(): Promise<void>;
  advance(ms: number): Promise<void>;
  /** Lets all that is ready happen and returns the instance's status. */
  status(id: string): Promise<InstanceStatus>;
  /** Settles and returns what the instance came to; throws when it has not completed. */
  output(id: string): Promise<unknown>;
  history(id: string): HistoryEvent[];
}

export async function startHarness(options: Partial<HostOptions> & Pick<HostOptions, 'loadApp'>): Promise<Harness> {
  const clock = createVirtualClock(START_MS);
  const logs: LogEntry[] = [];
  const host = await startHost({ clock, log: (entry) => logs.push(entry), ...options });
  const engine = host.durable;
  if (!engine) throw new Error('The harness needs a host that owns its task hub.');
  const status = async (id: string) => {
    await host.settle();
    const found = instanceStatus(engine, id);
    if (!found) throw new Error(`No instance ${id}.`);
    return found;
  };
  return {
    host,
    clock,
    engine,
    logs,
    start(name, input, instanceId) {
      const answer = startInstance(engine, name, {
        instanceId,
        inputJson: input === undefined ? '' : JSON.stringify(input),
      });
      if (answer.type === 'refused') throw new Error(answer.message);
      return answer.value.id;
    },
    raise(id, name, data) {
      const answer = raiseEvent(engine, id, name, data === undefined ? '' : JSON.stringify(data));
      if (answer.type === 'refused') throw new Error(answer.message);
    },
    settle: () => host.settle(),
    advance: (ms) => clock.advance(ms, () => host.settle()),
    status,
    async output(id) {
      const { runtimeStatus, output } = await status(id);
      if (runtimeStatus !== 'Completed')
        throw new Error(`Instance ${id} is ${runtimeStatus}: ${JSON.stringify(output)}`);
      return output;
    },
    history: (id) => engine.hub.history(id),
  };
}
