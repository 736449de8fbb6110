// The agent's Prometheus metrics, in a registry of their own so that several agents can live in one process.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { ORDER_REFUSALS } from '../../shared/order.ts';

export interface AgentMetrics {
  readonly registry: Registry;
  readonly announced: Gauge<'vip' | 'prefix'>;
  readonly prepend: Gauge<'vip'>;
  readonly sessionUp: Gauge<'peer'>;
  readonly peersDiffer: Gauge;
  readonly probeSeconds: Histogram<'vip'>;
  readonly probes: Counter<'vip' | 'outcome'>;
  readonly transitions: Counter<'vip' | 'to'>;
  readonly orders: Counter<'outcome'>;
  readonly orderGeneration: Gauge<'group'>;
  readonly orderEpoch: Gauge<'group'>;
  readonly lastReport: Gauge<'seat'>;
  readonly reports: Counter<'seat' | 'outcome'>;
  readonly flapPenalty: Gauge<'vip'>;
  readonly certificateExpiry: Gauge;
  readonly updates: Counter<'peer'>;
  readonly observedLoss: Gauge<'vip'>;
  readonly observedThroughput: Gauge<'vip'>;
}

const PROBE_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Every metric named `anycast_agent_*`; the order outcomes start at zero so that a first refusal is a rate. */
export function createMetrics(version: string, nva: string): AgentMetrics {
  const registry = new Registry();
  const registers = [registry];
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Gauge<T>({ name: `anycast_agent_${name}`, help, labelNames: [...labelNames], registers });
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Counter<T>({ name: `anycast_agent_${name}`, help, labelNames: [...labelNames], registers });
  gauge('build_info', 'Version of the agent and the NVA it runs on.', ['version', 'nva']).set({ version, nva }, 1);
  const orders = counter('orders_total', 'Signed orders received, by what became of them.', ['outcome']);
  for (const outcome of ['accepted', 'same', ...ORDER_REFUSALS]) orders.inc({ outcome }, 0);
  return {
    registry,
    announced: gauge('announced', '1 while the prefix is wanted on the wire.', ['vip', 'prefix']),
    prepend: gauge('prepend', 'Prepends of the announcement, absent while withdrawn.', ['vip']),
    sessionUp: gauge('session_up', '1 while the BGP session is Established.', ['peer']),
    peersDiffer: gauge('peers_differ', 'Prefixes that the peers were told differently; 0 as it should be.'),
    probeSeconds: new Histogram({
      name: 'anycast_agent_probe_seconds',
      help: 'Duration of probes that passed or failed.',
      labelNames: ['vip'],
      buckets: PROBE_BUCKETS_SECONDS,
      registers,
    }),
    probes: counter('probes_total', 'Probes made, by outcome.', ['vip', 'outcome']),
    transitions: counter('transitions_total', 'Changes of the local verdict.', ['vip', 'to']),
    orders,
    orderGeneration: gauge('order_generation', 'Generation of the newest accepted order.', ['group']),
    orderEpoch: gauge('order_epoch', 'Epoch of the newest accepted order.', ['group']),
    lastReport: gauge('last_report_timestamp_seconds', 'When a seat last took a report.', ['seat']),
    reports: counter('reports_total', 'Reports sent, by outcome.', ['seat', 'outcome']),
    flapPenalty: gauge('flap_penalty', 'Decaying penalty that delays the way back.', ['vip']),
    certificateExpiry: gauge('certificate_expiry_timestamp_seconds', "Expiry of the agent's own certificate."),
    updates: counter('updates_total', 'UPDATE messages handed to the socket.', ['peer']),
    observedLoss: gauge('observed_loss_ratio', "Share of an observer's newest 600 looks that failed.", ['vip']),
    observedThroughput: gauge(
      'observed_throughput_bytes_per_second',
      'How fast a body came through the vip, in the newest sample; absent after one that failed.',
      ['vip'],
    ),
  };
}
