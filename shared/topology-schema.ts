// The form of anycast.yaml: types, ranges and defaults of every key. What keys mean together is topology-checks.ts.
import { z } from 'zod';
import { azureSchema } from './azure-schema.ts';
import { parseEndpoint, parseIpv4, parsePrefix } from './ip.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes, 63 at most');
const prefix = z.string().refine((text) => parsePrefix(text) !== undefined, 'an IPv4 prefix with zero host bits');
const address = z.string().refine((text) => parseIpv4(text) !== undefined, 'an IPv4 address');
const endpoint = z.string().refine((text) => parseEndpoint(text, 179) !== undefined, 'an IPv4 address or address:port');
const asn = z.int().min(0).max(4294967295);
const httpUrl = z.string().regex(/^https?:\/\/[^\s]+$/, 'an http or https URL');
const community = z.string().regex(/^\d{1,5}:\d{1,5}$/, 'a community such as 65001:100');
const hostPort = z.string().regex(/^[A-Za-z0-9.-]+:\d{1,5}$/, 'host:port');
const jwk = z.record(z.string(), z.unknown());
const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day such as 22:30');
const seconds = (min: number, max: number) => z.number().min(min).max(max);

export const probeSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.enum(['http', 'https']),
    /** `{app}` stands for the region's own application, see regions[].apps. */
    url: z.string().regex(/^https?:\/\/[^\s]+$/, 'an http or https URL'),
    expectStatus: z.array(z.int().min(100).max(599)).min(1).default([200]),
    expectBody: z.string().max(500).optional(),
    headers: z.record(z.string(), z.string()).default({}),
    /** For https: verify the server's certificate. */
    verifyTls: z.boolean().default(true),
  }),
  z.strictObject({ type: z.literal('tcp'), target: z.string().min(1) }),
  z.strictObject({
    type: z.literal('dns'),
    server: z.string().min(1),
    query: z.string().min(1),
    recordType: z.enum(['A', 'AAAA', 'TXT', 'CNAME', 'MX', 'SRV', 'NS']).default('A'),
    expect: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal('exec'),
    /** Argument vector, run without a shell. */
    argv: z.array(z.string().min(1)).min(1).max(64),
  }),
]);
export type ProbeConfig = z.infer<typeof probeSchema>;

const healthSchema = z.strictObject({
  probe: probeSchema.optional().describe('The one probe of this vip; several stand under probes'),
  probes: z
    .array(probeSchema)
    .min(1)
    .max(8)
    .optional()
    .describe('Several probes, each with a window of its own; instead of probe'),
  require: z
    .union([z.enum(['all', 'any']), z.strictObject({ atLeast: z.int().min(1).max(8) })])
    .optional()
    .describe('How many of probes must be well: all (the default), any, or at least so many'),
  intervalMs: z.int().min(100).max(300_000).default(1000),
  timeoutMs: z.int().min(50).max(60_000).default(800),
  window: z
    .strictObject({
      /** This many failures ... */
      fail: z.int().min(1).max(50).default(3),
      /** ... among this many latest probes mean unhealthy. */
      of: z.int().min(1).max(50).default(5),
      /** This many passes in a row mean healthy again. */
      recover: z.int().min(1).max(50).default(5),
    })
    .prefault({}),
  /** Keep an idle connection to the application; its loss starts probes at once. */
  sentinel: z.boolean().default(true),
  fromSeats: z
    .boolean()
    .default(false)
    .describe(
      'Each seat also asks the application of every region itself, once a tick, with the first http, https or tcp ' +
        'probe that has {app}; turn it on where seats can reach the applications',
    ),
  /** Slower than this for most of the window is degraded. */
  degradedLatencyMs: z.number().min(1).optional(),
});

const byRole = <T extends z.ZodType>(value: T) =>
  z.strictObject({ primary: value.optional(), backup: value.optional(), lastResort: value.optional() });

const dataPlaneSchema = z.strictObject({
  mode: z.enum(['reverse-proxy', 'snat', 'dnat-udr', 'none']).default('none'),
  ports: z
    .array(
      z.strictObject({
        listen: z.int().min(1).max(65535),
        to: z.int().min(1).max(65535),
        protocol: z.enum(['tcp', 'udp']).default('tcp'),
      }),
    )
    .max(64)
    .default([]),
  /** How several active NVAs of a region keep both directions of a connection together. */
  symmetry: z.enum(['load-balancer', 'shared-sessions']).optional(),
  /** A connection without traffic is forgotten after this long. */
  idleSeconds: z.int().min(10).max(86_400).default(3600),
  /** A drain waits at most this long for connections to finish. */
  drainSeconds: seconds(0, 86_400).default(300),
  /** After a route moves, packets of connections that live on the previous NVA are handed to it. */
  secondChance: z
    .strictObject({
      enabled: z.boolean().default(false),
      /** It ends this long after the move, whatever still lives. */
      capSeconds: seconds(10, 3600).default(1800),
    })
    .prefault({}),
});

/** The tunnel between NVAs that second chances use (VXLAN over UDP); one setting for the whole deployment. */
const tunnelSchema = z.strictObject({
  port: z.int().min(1).max(65535).default(4789),
  vni: z.int().min(1).max(16_777_215).default(92),
  /** Largest packet inside: the network's own largest less 50 bytes of VXLAN. */
  mtu: z.int().min(1230).max(8950).default(1450),
});

const vetoSchema = z
  .strictObject({
    /** Holds no secret: the file is read by many. */
    url: httpUrl.describe(
      'Asked by POST before automation changes the acting region; answers {"allow": bool, "reason"?}',
    ),
    timeoutMs: z.int().min(50).max(2000).default(1500).describe('A takeover waits for the answer at most this long'),
    onTimeout: z.enum(['allow', 'deny']).default('allow').describe('What no answer, or none that makes sense, means'),
    audience: z.string().min(1).optional().describe('Ask with a token of the managed identity for this audience'),
  })
  .describe('A webhook that may refuse automatic moves; people and holds are never asked about');

const vipSchema = z.strictObject({
  name,
  group: name.default('default'),
  prefix,
  mode: z.enum(['primary-backup', 'active-active']).default('primary-backup'),
  /** Ranking for primary-backup (best first), members for active-active. */
  regions: z.array(name).min(1).max(16),
  nvas: z.enum(['all', 'one']).default('all'),
  priority: z.int().min(0).max(1000).default(100),
  failback: z
    .strictObject({ mode: z.enum(['auto', 'manual']).default('auto'), afterSeconds: seconds(0, 604800).default(600) })
    .prefault({}),
  onVerifyFailure: z.enum(['alarm', 'rollback', 'withdraw-old']).default('alarm'),
  onLocalFailure: z.enum(['last-resort', 'withdraw']).default('last-resort'),
  health: healthSchema,
  signals: z
    .array(
      z.strictObject({
        type: z.literal('kql'),
        /** Rows (region, healthy) of the newest state; a region without a row is unknown. */
        query: z.string().min(1).max(10_000),
        intervalSeconds: seconds(30, 3600).default(60),
      }),
    )
    .max(8)
    .default([]),
  /** Instead of guards.veto, for this vip. */
  veto: vetoSchema.optional(),
  dataPlane: dataPlaneSchema.prefault({}),
  /** How an observer asks the vip and learns which region answered. */
  observe: z
    .strictObject({
      url: httpUrl,
      header: z.string().min(1).default('x-anycast-region'),
      throughput: z
        .strictObject({
          url: httpUrl.describe('Something of 64 KiB or more that the vip serves'),
          everySeconds: seconds(10, 86_400).default(60),
          bytesMax: z
            .int()
            .min(65_536)
            .max(67_108_864)
            .default(1_048_576)
            .describe('Reading stops here, or after five seconds'),
        })
        .optional()
        .describe('Now and then an observer reads so much through the vip and tells how fast it came'),
    })
    .optional(),
  serves: z.strictObject({ onPremises: z.boolean().default(true) }).prefault({}),
  communities: z.union([z.array(community).max(32), byRole(z.array(community).max(32))]).default([]),
  med: z.union([z.int().min(0).max(4294967295), byRole(z.int().min(0).max(4294967295))]).optional(),
});

const regionSchema = z.strictObject({
  name,
  routeServer: z.strictObject({
    resourceId: z.string().min(1),
    peers: z.array(endpoint).min(1).max(8),
    subnet: prefix.optional(),
    /** Routes a peer may send before Route Server ends the session (4,000 since 2025). */
    routeLimit: z.int().min(10).max(100_000).default(4000),
  }),
  circuit: z
    .strictObject({ resourceId: z.string().min(1), peering: z.string().default('AzurePrivatePeering') })
    .optional(),
  nvas: z
    .array(
      z.strictObject({
        name,
        asn,
        address,
        agent: z.string().regex(/^https:\/\/[^\s/]+$/, 'an https origin such as https://10.1.1.4:8443'),
        bgpConnection: z.string().min(1),
        /** Object id of the VM's managed identity; when set, only it may report for this NVA. */
        principalId: z.string().min(1).optional(),
      }),
    )
    .min(1),
  /** The region's own instance of each vip's application (host:port), what `{app}` stands for. */
  apps: z.record(name, hostPort).default({}),
});

const windowsSchema = z
  .array(
    z.strictObject({
      days: z
        .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
        .min(1)
        .optional(),
      from: timeOfDay,
      to: timeOfDay,
    }),
  )
  .max(32)
  .default([]);

const scheduleSchema = z.strictObject({
  name,
  kind: z.enum(['drill', 'failover', 'failback']),
  vip: name,
  to: name.optional().describe('Target region; absent: the best other one'),
  cron: z
    .string()
    .regex(/^(\S+ +){4}\S+$/, 'five fields: minute hour day month weekday')
    .describe('When, in the time zone below'),
  timeZone: z.string().min(1).default('UTC').describe('IANA name, such as Europe/Amsterdam'),
  seconds: z.int().min(1).max(3600).default(60).describe('Drill: how long traffic stays on the other region'),
  reason: z.string().trim().min(3).max(200).default('scheduled'),
  enabled: z.boolean().default(true),
});

const guardsSchema = z.strictObject({
  /** Automatic moves (counted by cause: region and verdict, not by vip) allowed per window. */
  maxMovesPerWindow: z.int().min(1).max(1000).default(3),
  windowSeconds: seconds(10, 86400).default(600),
  /** This share of regions failing at once is a mass failure: automation keeps what is. */
  massFailureShare: z.number().gt(0).max(1).default(0.5),
  /** A new leader without a fresh view of its own waits this long. */
  warmUpSeconds: seconds(0, 600).default(30),
  /** Least time between two automatic moves of a vip away from a region that still works. */
  dwellSeconds: seconds(0, 86400).default(60),
  /** A brown-out must last this long before traffic moves. */
  persistSeconds: seconds(1, 3600).default(30),
  /** Unknown for longer than this is worth an alert. */
  graceSeconds: seconds(1, 3600).default(60),
  /** Recentring waits for this long without any change. */
  calmSeconds: seconds(0, 3600).default(60),
  /** A target must have been healthy for this long before automation moves traffic to it by choice. */
  provenSeconds: seconds(0, 3600).default(10),
  /** An intent that could not be carried out by then is dropped and says so. */
  intentSeconds: seconds(10, 3600).default(120),
  /** After a person's move automation leaves the vip alone for this long. */
  humanHoldSeconds: seconds(0, 604800).default(3600),
  flapPenalty: z
    .strictObject({
      perMove: z.number().min(0).default(1000),
      suppress: z.number().min(1).default(2500),
      reuse: z.number().min(1).default(750),
      max: z.number().min(1).default(12000),
      halfLifeSeconds: seconds(1, 86400).default(900),
    })
    .prefault({}),
  /** Times (UTC) at which traffic may fail back by itself; none: any time. A window that ends before it begins passes midnight. */
  failbackWindows: windowsSchema,
  /** Times (UTC) at which scheduled drills may begin; none: any time. */
  drillWindows: windowsSchema,
  /** Asked before automation moves any vip that names no veto of its own. */
  veto: vetoSchema.optional(),
  /** shadow: decide and audit, never act. */
  mode: z.enum(['act', 'shadow']).default('act'),
});

export const topologySchema = z.strictObject({
  version: z.literal(1),
  name,
  transport: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('expressroute'), circuits: z.enum(['shared', 'separate']) }),
    z.strictObject({ kind: z.literal('vpn') }),
  ]),
  prepend: z
    .strictObject({
      /** Absent: each NVA prepends its own ASN. */
      asn: asn.optional(),
      step: z.int().min(1).max(30).optional(),
      headroom: z.int().min(1).max(30).default(4),
    })
    .prefault({}),
  timing: z
    .strictObject({
      reportSeconds: seconds(0.2, 60).default(2),
      tickSeconds: z.int().min(1).max(60).default(5),
      /** Route Server applies about one change per prefix in this time. */
      routeChangeSeconds: seconds(0, 300).default(30),
      /** Hold time offered to Route Server; the lower of both sides counts (RFC 4271 4.2). */
      holdSeconds: z.int().min(3).max(65535).default(30),
    })
    .prefault({}),
  tunnel: tunnelSchema.prefault({}),
  addressSpaces: z.strictObject({ azure: z.array(prefix).min(1), onPremises: z.array(prefix).default([]) }),
  regions: z.array(regionSchema).min(1).max(16),
  vips: z.array(vipSchema).min(1).max(10_000),
  guards: guardsSchema.prefault({}),
  /** Drills and moves at set times. All guards of automation hold; a time that was missed is reported, never made up for. */
  schedules: z.array(scheduleSchema).max(100).default([]),
  seats: z
    .array(
      z.strictObject({
        name,
        region: name,
        url: httpUrl,
        audience: z.string().min(1),
        orderKeys: z
          .array(z.strictObject({ kid: z.string().min(1), jwk }))
          .min(1)
          .max(8),
      }),
    )
    .min(1)
    .max(8),
  witness: z.strictObject({
    region: name,
    /** Blob endpoint of the storage account that holds ledger and outbox. */
    account: httpUrl,
    /** Says out loud that the witness shares a region with what it witnesses: for laboratories only. */
    sharesRegion: z.boolean().default(false),
  }),
  observers: z
    .array(
      z.strictObject({
        name,
        credential: z.enum(['client-certificate', 'token']),
        principalId: z.string().min(1).optional().describe('Object id; when set, only it may report for this observer'),
        certificates: z
          .array(z.string().regex(/^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$/, 'a SHA-256 thumbprint in hexadecimal'))
          .max(4)
          .default([])
          .describe(
            'SHA-256 thumbprints of client certificates that may report for this observer instead of a token ' +
              '(credential: client-certificate; two while one is renewed). App Service ends TLS and verifies that the ' +
              'sender has the key; the seat checks the pin and the validity, no chain',
          ),
      }),
    )
    .default([]),
  /** What only the deployment to Azure reads: networks, machines, alerts. */
  azure: azureSchema.optional(),
});

export type Topology = z.infer<typeof topologySchema>;
export type Region = Topology['regions'][number];
export type Nva = Region['nvas'][number];
export type Vip = Topology['vips'][number];
export type Seat = Topology['seats'][number];
export type Guards = Topology['guards'];
export type Schedule = Topology['schedules'][number];
export type Veto = z.infer<typeof vetoSchema>;
