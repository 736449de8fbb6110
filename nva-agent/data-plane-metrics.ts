// Prometheus metrics of the data plane, set from its view when somebody looks; absent while no traffic is ours.
import { Counter, Gauge, type Registry } from 'prom-client';
import type { DataPlaneView } from './data-plane-view.ts';

/** Makes the metrics in this registry; the answer sets them. */
export function createDataPlaneMetrics(registry: Registry): (view: DataPlaneView) => void {
  const registers = [registry];
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Gauge<T>({ name: `anycast_agent_dataplane_${name}`, help, labelNames: [...labelNames], registers });
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Counter<T>({ name: `anycast_agent_dataplane_${name}`, help, labelNames: [...labelNames], registers });
  const applied = gauge('applied', '1 while address, ports and rules of the vip stand.', ['vip', 'mode']);
  const established = gauge('connections', 'Client connections that stand.', ['vip']);
  const shared = gauge('second_chance_active', '1 while connections are shared with this NVA.', ['vip', 'peer']);
  const safe = gauge('safe_to_stop', '1 when stopping this NVA breaks no connection of the vip.', ['vip']);
  const proved = gauge('tunnel_proved', '1 while the tunnel to this NVA carries full packets both ways.', ['peer']);
  const connections = counter('connections_total', 'Client connections.', ['vip']);
  const bytes = counter('bytes_total', 'Bytes of clients (in) and to clients (out).', ['vip', 'direction']);
  const tunnelled = counter('tunnelled_packets_total', "Packets handed to their connection's owner.", []);
  const applies = counter('applies_total', 'Attempts to bring the data plane to its configuration.', ['outcome']);
  return (view) => {
    for (const metric of [applied, established, shared, safe, proved]) metric.reset();
    for (const metric of [connections, bytes, tunnelled, applies]) metric.reset();
    for (const vip of view.vips) {
      const label = { vip: vip.vip };
      applied.set({ ...label, mode: vip.mode }, vip.applied ? 1 : 0);
      established.set(label, vip.established);
      safe.set(label, vip.safeToStop ? 1 : 0);
      connections.inc(label, vip.connections);
      bytes.inc({ ...label, direction: 'in' }, vip.bytesIn);
      bytes.inc({ ...label, direction: 'out' }, vip.bytesOut);
      if (vip.secondChance !== undefined) {
        shared.set({ ...label, peer: vip.secondChance.peer }, vip.secondChance.phase === 'active' ? 1 : 0);
      }
    }
    for (const { nva, isProved } of view.peers) proved.set({ peer: nva }, isProved ? 1 : 0);
    tunnelled.inc(view.tunnelledPackets);
    for (const [outcome, count] of Object.entries(view.applies)) applies.inc({ outcome }, count);
  };
}
