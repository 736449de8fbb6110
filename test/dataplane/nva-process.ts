// One NVA's data plane in a process of its own inside a namespace, told what to do by messages of a test.
import { createDataPlane } from '../../nva-agent/dataplane/data-plane.ts';
import type { DataPlaneConfig } from '../../nva-agent/dataplane/plan.ts';

const [folder = '', configText = '{}'] = process.argv.slice(2);
const plane = createDataPlane({ config: JSON.parse(configText) as DataPlaneConfig, folder });

export interface NvaRequest {
  readonly id: number;
  readonly method: 'apply' | 'remove' | 'status' | 'drain' | 'arm' | 'askBack' | 'disarm';
  // biome-ignore lint/suspicious/noExplicitAny: whatever the method takes; the other side is typed.
  readonly args: readonly any[];
}

const methods: Record<NvaRequest['method'], (...args: NvaRequest['args']) => Promise<unknown>> = {
  apply: (config) => plane.apply(config),
  remove: (graceMs) => plane.remove(graceMs),
  status: () => plane.status(),
  drain: (vip) => plane.drain(vip),
  arm: (vip, options) => plane.secondChance.arm(vip, options),
  askBack: (vip, peers, waitMs) => plane.secondChance.askBack(vip, peers, waitMs),
  disarm: (vip) => plane.secondChance.disarm(vip),
};

process.on('message', (message) => {
  const { id, method, args } = message as NvaRequest;
  methods[method](...args).then(
    (value) => process.send?.({ id, value }),
    (error: unknown) => process.send?.({ id, problem: error instanceof Error ? error.message : String(error) }),
  );
});
