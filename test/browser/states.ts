// What the control plane answers in the situations that the dashboard must show, in the form of its own schemas.
import {
  type Operation,
  operationSchema,
  type Plan,
  planSchema,
  type Status,
  type StatusRegion,
  statusSchema,
} from '../../shared/api.ts';
import { type AuditRecord, auditRecordSchema } from '../../shared/audit.ts';

export const NOW_MS = 1_790_000_000_000;

const step = (proof: StatusRegion['proofs']['agent']['proof'], detail: string) => ({
  proof,
  detail,
  atMs: NOW_MS - 8000,
});
const path = (asn: number, prepends: number): number[] => [asn, ...Array<number>(prepends).fill(64500)];

interface RegionState {
  readonly region: string;
  readonly role: StatusRegion['role'];
  readonly rung: number;
  readonly verdict: StatusRegion['verdict'];
  readonly proof: 'proved' | 'waiting' | 'failed' | 'not checked';
  readonly serves: boolean;
  readonly window?: string;
}

function region(state: RegionState, index: number): StatusRegion {
  const asPath = path(65001 + 100 * index, state.rung * 3);
  const detail = {
    proved: 'as ordered',
    waiting: '10.2.0.5 holds 64500×15',
    failed: 'not there in time',
    'not checked': 'no circuit named',
  }[state.proof];
  return {
    region: state.region,
    role: state.role,
    rung: state.rung,
    prepend: state.rung * 3,
    state: 'announced',
    serves: state.serves,
    verdict: state.verdict,
    verdictSinceMs: NOW_MS - 6000,
    detail: '',
    sources: [
      {
        source: `nva-${index + 1}`,
        says: state.verdict,
        ageMs: 1000,
        detail: state.verdict === 'unhealthy' ? 'connection refused' : '',
      },
      { source: 'seat-ne', says: 'absent', ageMs: null, detail: '' },
    ],
    proofs: {
      agent: step('proved', 'as ordered'),
      routeServer: step(state.proof, detail),
      circuit: step('not checked', 'no circuit named'),
      observer: step(state.proof, detail),
    },
    nvas: [
      {
        nva: `nva-${index + 1}`,
        reportAgeMs: 1000,
        order: { epoch: 7, generation: 413 },
        acknowledged: true,
        sessions: [
          { peer: `10.${index + 1}.0.4`, state: 'Established', asPath, learned: { asPath, atMs: NOW_MS - 3000 } },
          {
            peer: `10.${index + 1}.0.5`,
            state: 'Established',
            asPath,
            learned: { asPath: state.proof === 'waiting' ? path(65101, 15) : asPath, atMs: NOW_MS - 28_000 },
          },
        ],
        window: state.window ?? '11111',
        latencyMs: 2.4,
        lastResort: state.verdict === 'unhealthy',
      },
    ],
  };
}

type VipStatus = Status['vips'][number];

function vip(name: string, prefix: string, regions: readonly RegionState[], more: Partial<VipStatus> = {}): VipStatus {
  const acting = regions.find(({ role }) => role === 'primary')?.region ?? '';
  const servedBy = regions.find(({ serves }) => serves)?.region ?? null;
  return {
    vip: name,
    prefix,
    mode: 'primary-backup',
    acting,
    actingSinceMs: NOW_MS - 90_000_000,
    servedBy,
    reason: 'steady',
    detail: `${acting} is healthy`,
    decisionId: 'd-7f3a',
    regions: regions.map(region),
    observers: [
      {
        observer: 'hq',
        ageMs: 900,
        answeredBy: servedBy,
        requests: 200,
        failures: 0,
        connectMs: 12,
        firstByteMs: 41,
        outageMs: 0,
        loss: 0.015,
        throughput: { bytesPerSecond: 12_400_000, bytes: 1_000_000, ageMs: 4200 },
      },
    ],
    lastDrill: { atMs: NOW_MS - 86_400_000, ok: true, outageMs: 41, state: 'proved', operation: 'op-drill' },
    blocked: [],
    ...more,
  };
}

const calm = (name: string, role: RegionState['role'], rung: number): RegionState => ({
  region: name,
  role,
  rung,
  verdict: 'healthy',
  proof: 'proved',
  serves: role === 'primary',
});

const frame = (vips: readonly VipStatus[], more: Partial<Status> = {}): Status =>
  statusSchema.parse({
    deployment: 'contoso',
    nowMs: NOW_MS,
    seat: 'seat-we',
    leader: 'seat-we',
    epoch: 7,
    generation: 413,
    decidedAtMs: NOW_MS - 3000,
    automation: 'on',
    transport: 'expressroute',
    timing: { reportSeconds: 2, tickSeconds: 5 },
    seats: [
      { seat: 'seat-we', region: 'westeurope', url: 'http://127.0.0.1:7071' },
      { seat: 'seat-ne', region: 'northeurope', url: 'http://127.0.0.1:7072' },
    ],
    operations: [],
    ledger: 'ok',
    outboxDepth: 0,
    vips,
    holds: [],
    alerts: [],
    ...more,
  });

const billing = vip('billing', '192.0.2.20/32', [calm('northeurope', 'primary', 4), calm('westeurope', 'backup', 5)]);

export const steady = (): Status =>
  frame([
    vip('orders', '192.0.2.10/32', [calm('westeurope', 'primary', 4), calm('northeurope', 'backup', 5)]),
    billing,
  ]);

/** Six seconds into a takeover, with everything on show that can stand in the way. */
export const moving = (): Status =>
  frame(
    [
      vip(
        'orders',
        '192.0.2.10/32',
        [
          { region: 'northeurope', role: 'primary', rung: 3, verdict: 'healthy', proof: 'waiting', serves: true },
          {
            region: 'westeurope',
            role: 'backup',
            rung: 6,
            verdict: 'unhealthy',
            proof: 'proved',
            serves: false,
            window: '11000',
          },
        ],
        {
          actingSinceMs: NOW_MS - 6000,
          reason: 'app-unhealthy',
          detail: '3 of the last 5 probes refused',
          blocked: [{ kind: 'failback', region: 'westeurope', guard: 'dwell', detail: 'moved 6 s ago' }],
        },
      ),
      billing,
    ],
    {
      holds: [
        {
          id: 'h-19',
          vip: 'billing',
          actor: 'ops@contoso.com',
          reason: 'CHG0039',
          createdAtMs: NOW_MS - 60_000,
          expiresAtMs: NOW_MS + 1_800_000,
          full: false,
        },
      ],
      operations: [
        {
          ...{ id: 'op-later', kind: 'failback', vip: 'orders', region: null, actor: 'kim@contoso.com' },
          ...{ reason: 'tonight', notBeforeMs: NOW_MS + 3600_000, deadlineMs: NOW_MS + 3720_000 },
        },
      ],
      schedules: [
        {
          ...{ schedule: 'monthly', kind: 'drill', vip: 'orders', cron: '0 3 1 * *', timeZone: 'UTC', enabled: true },
          ...{ nextAtMs: NOW_MS + 86_400_000, last: { slotMs: NOW_MS - 86_400_000, outcome: 'missed', operation: '' } },
        },
      ],
      alerts: [{ vip: 'orders', reason: 'headroom-low', detail: '2 free rungs' }],
    },
  );

export const unserved = (): Status => {
  const dark = steady();
  const [orders, ...others] = dark.vips;
  return orders === undefined
    ? dark
    : {
        ...dark,
        vips: [
          {
            ...orders,
            servedBy: null,
            observers: (orders.observers ?? []).map((one) => ({
              ...one,
              answeredBy: null,
              failures: 200,
              firstByteMs: null,
            })),
          },
          ...others,
        ],
      };
};

export const empty = (): Status => frame([], { ledger: 'absent', leader: null, decidedAtMs: null });

/** Everything that people and other machines can write, written by somebody who means harm. */
export const HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';
export const hostile = (): Status => {
  const harmed = moving();
  const [orders, ...others] = harmed.vips;
  return {
    ...harmed,
    deployment: HOSTILE,
    seats: [{ seat: HOSTILE, region: HOSTILE, url: 'javascript:window.hacked=1' }],
    holds: harmed.holds.map((hold) => ({ ...hold, vip: null, reason: HOSTILE, actor: HOSTILE })),
    alerts: [{ vip: null, reason: HOSTILE, detail: HOSTILE }],
    vips: [...(orders === undefined ? [] : [{ ...orders, detail: HOSTILE, reason: HOSTILE }]), ...others],
  };
};

/** @param count vips in four regions each */
export function fleet(count: number): Status {
  const regions = ['westeurope', 'northeurope', 'uksouth', 'francecentral'];
  return frame(
    Array.from({ length: count }, (_, i) =>
      vip(
        `service-${String(i).padStart(3, '0')}`,
        `192.0.2.${i % 250}/32`,
        regions.map((name, j) => ({
          ...calm(name, j === 0 ? 'primary' : 'backup', 4 + j),
          verdict: i % 7 === 3 && j === 0 ? 'degraded' : 'healthy',
        })),
      ),
    ),
  );
}

export const plan = (more: Partial<Plan> = {}): Plan =>
  planSchema.parse({
    dryRun: true,
    allowed: true,
    alreadySo: false,
    generation: 413,
    actions: [
      {
        vip: 'orders',
        region: 'northeurope',
        kind: 'move',
        before: 'backup on rung 5, announced',
        after: 'primary on rung 3, announced',
        prependBefore: 15,
        prependAfter: 9,
        reason: 'intent',
        detail: 'asked for',
      },
    ],
    blocked: [],
    explanation: ['move northeurope: backup -> primary, rung 5 -> 3 by ops, intent: asked for'],
    ...more,
  });

export const operation = (more: Partial<Operation> = {}): Operation =>
  operationSchema.parse({
    id: 'op-81c0',
    kind: 'failover',
    state: 'running',
    vip: 'orders',
    region: 'northeurope',
    actor: 'ops@contoso.com',
    actorType: 'human',
    reason: 'patch window',
    createdAtMs: NOW_MS,
    deadlineMs: NOW_MS + 120_000,
    finishedAtMs: null,
    decisionId: 'd-8a01',
    generation: 414,
    steps: [{ name: 'committed', proof: 'proved', detail: 'generation 414', atMs: NOW_MS }],
    problems: [],
    ...more,
  });

const record = (index: number, agoMs: number, more: Partial<AuditRecord>): AuditRecord =>
  auditRecordSchema.parse({
    TimeGenerated: new Date(NOW_MS - agoMs).toISOString(),
    EventId: `default-7-${index}`,
    Kind: 'decision',
    DecisionId: `d-${index}`,
    CorrelationId: '',
    Vip: 'orders',
    Region: '',
    Nva: '',
    Actor: 'automation',
    ActorType: 'automation',
    Reason: '',
    Detail: {},
    Before: '',
    After: '',
    SnapshotHash: '',
    Seat: 'seat-we',
    Epoch: 7,
    Generation: 412,
    ChainIndex: index,
    PrevHash: '',
    Hash: '',
    ...more,
  });

/** A takeover six seconds ago, and a refused wish the evening before. @param reason what a person wrote */
export const history = (reason = 'CHG0039'): AuditRecord[] => [
  record(1, 16 * 3600_000, {
    Kind: 'blocked',
    Region: 'northeurope',
    Reason: 'hold',
    Detail: { detail: 'held by ops' },
  }),
  record(2, 15 * 3600_000, {
    Kind: 'hold',
    DecisionId: '',
    Actor: 'ops@contoso.com',
    ActorType: 'human',
    Reason: 'held',
    Detail: { reason },
  }),
  record(3, 6000, {
    DecisionId: 'd-7f3a',
    Region: 'northeurope',
    Reason: 'app-unhealthy',
    Before: 'backup r5 announced',
    After: 'primary r3 announced',
    Detail: { kind: 'move', detail: '3 of 5 probes refused' },
  }),
  record(4, 5990, {
    DecisionId: 'd-7f3a',
    Region: 'westeurope',
    Reason: 'app-unhealthy',
    Before: 'primary r4 announced',
    After: 'backup r4 announced',
    Detail: { kind: 'role' },
  }),
  record(5, 5900, {
    Kind: 'order',
    DecisionId: 'd-7f3a',
    Vip: 'orders',
    Nva: 'nva-2',
    Reason: 'ordered',
    Detail: { detail: 'announced r3 x9' },
  }),
  record(6, 3000, {
    Kind: 'verification',
    DecisionId: 'd-7f3a',
    Region: 'northeurope',
    Reason: 'proved',
    Detail: { agent: 'proved: 1/1', routeServer: 'proved: 2/2', circuit: 'not checked: no circuit named' },
  }),
];
