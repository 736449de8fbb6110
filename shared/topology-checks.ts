// What the keys of anycast.yaml must mean together. Each check returns what it found; none stops at the first.
import { EXPRESSROUTE_ASN, isPrivateAsn, ROUTE_SERVER_ASN, refuseNvaAsn, refusePrependAsn } from './asn.ts';
import { findAzureRefusals } from './azure-checks.ts';
import { findDataPlaneRefusals, findDataPlaneWarnings } from './data-plane-checks.ts';
import { overlaps, parsePrefix } from './ip.ts';
import { PREPEND_MAX } from './ladder.ts';
import { findProbeRefusals } from './probe-checks.ts';
import type { Finding } from './result.ts';
import { findScheduleRefusals } from './schedule-checks.ts';
import type { Topology, Vip } from './topology-schema.ts';

type Check = (topology: Topology) => Finding[];

const finding = (path: string, code: string, message: string): Finding => ({ path, code, message });

/** Route Server takes eight BGP peers (includes/route-server-limits.md). */
const ROUTE_SERVER_PEERS_MAX = 8;
/** With one free rung the exhaustive model of the ladder finds ties. */
const HEADROOM_MIN = 2;
const severalNvas = (topology: Topology): boolean => topology.regions.some((region) => region.nvas.length > 1);
const separateCircuits = (topology: Topology): boolean =>
  topology.transport.kind === 'expressroute' && topology.transport.circuits === 'separate';

/** Prepends per rung: 1, but 3 on separate circuits (edge vendors differ by up to 2), 5 there with several NVAs. */
export function prependStep(topology: Topology): number {
  return topology.prepend.step ?? leastStep(topology);
}

function leastStep(topology: Topology): number {
  if (!separateCircuits(topology)) return 1;
  return severalNvas(topology) ? 5 : 3;
}

const checkNames: Check = (topology) => {
  const lists: [string, readonly string[]][] = [
    ['regions', topology.regions.map((r) => r.name)],
    ['vips', topology.vips.map((v) => v.name)],
    ['seats', topology.seats.map((s) => s.name)],
    [
      'nvas and observers',
      [...topology.regions.flatMap((r) => r.nvas.map((n) => n.name)), ...topology.observers.map((o) => o.name)],
    ],
  ];
  return lists.flatMap(([path, names]) =>
    [...new Set(names.filter((name, i) => names.indexOf(name) !== i))].map((name) =>
      finding(path, 'duplicate-name', `${name} is named twice`),
    ),
  );
};

const checkOverlaps: Check = (topology) => {
  const spaces = (['azure', 'onPremises'] as const).flatMap((kind) =>
    topology.addressSpaces[kind].map((text) => ({ text, what: kind === 'azure' ? 'Azure' : 'on-premises' })),
  );
  return topology.vips.flatMap((vip, i) => {
    const own = parsePrefix(vip.prefix);
    if (own === undefined) return [];
    const clash = (text: string) => {
      const other = parsePrefix(text);
      return other !== undefined && overlaps(own, other);
    };
    return [
      ...spaces
        .filter((space) => clash(space.text))
        .map((space) =>
          finding(
            `vips[${i}].prefix`,
            'prefix-overlap',
            `${vip.prefix} overlaps the ${space.what} space ${space.text}`,
          ),
        ),
      ...topology.vips
        .slice(0, i)
        .filter((other) => clash(other.prefix))
        .map((other) =>
          finding(`vips[${i}].prefix`, 'prefix-overlap', `${vip.prefix} overlaps ${other.prefix} of vip ${other.name}`),
        ),
    ];
  });
};

const checkAsns: Check = (topology) => {
  const forbidden = (asn: number) => asn === ROUTE_SERVER_ASN || asn === EXPRESSROUTE_ASN || asn === 0;
  const found = topology.regions.flatMap((region, r) =>
    region.nvas.flatMap((nva, n) => {
      const path = `regions[${r}].nvas[${n}].asn`;
      if (forbidden(nva.asn))
        return [
          finding(path, 'asn-forbidden-in-path', `${nva.asn} may stand nowhere in a path: the route would be dropped`),
        ];
      const why = refuseNvaAsn(nva.asn);
      return why === undefined ? [] : [finding(path, 'asn-reserved', why)];
    }),
  );
  const { asn } = topology.prepend;
  if (asn === undefined) return found;
  if (forbidden(asn)) {
    return [
      ...found,
      finding('prepend.asn', 'asn-forbidden-in-path', `${asn} may stand nowhere in a path: the route would be dropped`),
    ];
  }
  const why = refusePrependAsn(asn);
  return why === undefined ? found : [...found, finding('prepend.asn', 'asn-reserved', why)];
};

const checkPrependVisible: Check = (topology) => {
  const { asn } = topology.prepend;
  if (!separateCircuits(topology) || (asn !== undefined && !isPrivateAsn(asn))) return [];
  return [
    finding(
      'prepend.asn',
      'prepend-invisible',
      `${asn === undefined ? 'no prepend ASN' : `the private ASN ${asn}`} on separate circuits: ExpressRoute removes private ASNs, on-premises would never see the prepend; use a public one you own or one of 64496-64511`,
    ),
  ];
};

const checkStep: Check = (topology) => {
  const least = leastStep(topology);
  const step = prependStep(topology);
  const regionsMost = Math.max(...topology.vips.map((vip) => vip.regions.length));
  const found: Finding[] = [];
  if (step < least) {
    found.push(
      finding(
        'prepend.step',
        'step-too-small',
        `${step} on separate circuits: edge routers of different vendors differ by up to 2, so at least ${least} here`,
      ),
    );
  }
  if (topology.prepend.headroom < HEADROOM_MIN) {
    const message = `${topology.prepend.headroom} leaves no rung for a second failover; at least ${HEADROOM_MIN}`;
    found.push(finding('prepend.headroom', 'headroom-too-small', message));
  }
  if (topology.prepend.headroom + regionsMost > PREPEND_MAX / step) {
    found.push(
      finding(
        'prepend.headroom',
        'ladder-too-long',
        `headroom ${topology.prepend.headroom} + ${regionsMost} regions exceeds ${PREPEND_MAX} / step ${step}`,
      ),
    );
  }
  return found;
};

const checkRouteServers: Check = (topology) =>
  topology.regions.flatMap((region, r) => {
    const found: Finding[] = [];
    const peers = new Set(region.routeServer.peers);
    if (peers.size < 2) {
      found.push(
        finding(
          `regions[${r}].routeServer.peers`,
          'one-route-server-peer',
          'both Route Server instances must be named; with one, virtual machines disagree about routes',
        ),
      );
    }
    if (region.nvas.length > ROUTE_SERVER_PEERS_MAX) {
      found.push(
        finding(
          `regions[${r}].nvas`,
          'too-many-peers',
          `${region.nvas.length} NVAs; Route Server takes ${ROUTE_SERVER_PEERS_MAX} BGP peers`,
        ),
      );
    }
    return found;
  });

const checkReferences: Check = (topology) => {
  const known = new Set(topology.regions.map((region) => region.name));
  const vipNames = new Set(topology.vips.map((vip) => vip.name));
  return [
    ...topology.vips.flatMap((vip, v) =>
      vip.regions.flatMap((name, i) => {
        if (!known.has(name))
          return [finding(`vips[${v}].regions[${i}]`, 'unknown-region', `${name} is not among regions`)];
        if (vip.regions.indexOf(name) !== i)
          return [finding(`vips[${v}].regions[${i}]`, 'duplicate-name', `${name} is named twice`)];
        return [];
      }),
    ),
    ...topology.regions.flatMap((region, r) =>
      Object.keys(region.apps)
        .filter((name) => !vipNames.has(name))
        .map((name) => finding(`regions[${r}].apps.${name}`, 'unknown-vip', `${name} is not among vips`)),
    ),
  ];
};

const checkTiming: Check = (topology) => {
  const found = topology.vips.flatMap((vip, v) =>
    vip.health.timeoutMs < vip.health.intervalMs
      ? []
      : [
          finding(
            `vips[${v}].health.timeoutMs`,
            'timeout-not-below-interval',
            `${vip.health.timeoutMs} ms is not below the interval ${vip.health.intervalMs} ms`,
          ),
        ],
  );
  if (60 % topology.timing.tickSeconds !== 0) {
    found.push(
      finding('timing.tickSeconds', 'tick-not-dividing-minute', `${topology.timing.tickSeconds} does not divide 60`),
    );
  }
  return found;
};

const checkWindows: Check = (topology) =>
  topology.vips.flatMap((vip, v) =>
    vip.health.window.fail <= vip.health.window.of
      ? []
      : [
          finding(
            `vips[${v}].health.window.fail`,
            'window-impossible',
            `${vip.health.window.fail} failures of ${vip.health.window.of} probes can never be`,
          ),
        ],
  );

const checkSymmetry: Check = (topology) =>
  topology.vips.flatMap((vip, v) => {
    const severalActive = vip.nvas === 'all' && regionsOf(topology, vip).some((region) => region.nvas.length > 1);
    if (vip.dataPlane.mode !== 'dnat-udr' || !severalActive || vip.dataPlane.symmetry !== undefined) return [];
    return [
      finding(
        `vips[${v}].dataPlane`,
        'asymmetric-return',
        'dnat-udr with more than one active NVA in a region breaks connections: set nvas: one, or name the symmetry mechanism',
      ),
    ];
  });

const checkApps: Check = (topology) =>
  topology.vips.flatMap((vip, v) => {
    if (!JSON.stringify([vip.health.probe, vip.health.probes]).includes('{app}')) return [];
    return regionsOf(topology, vip)
      .filter((region) => region.apps[vip.name] === undefined)
      .map((region) =>
        finding(
          `vips[${v}].health.${vip.health.probes === undefined ? 'probe' : 'probes'}`,
          'app-missing',
          `{app} stands for regions[${region.name}].apps.${vip.name}, which is not there`,
        ),
      );
  });

const checkWitness: Check = (topology) => {
  if (topology.witness.sharesRegion) return [];
  const hosting = topology.vips.filter((vip) => vip.regions.includes(topology.witness.region)).map((vip) => vip.name);
  if (hosting.length === 0) return [];
  return [
    finding(
      'witness.region',
      'witness-hosts-members',
      `${topology.witness.region} hosts ${hosting.join(', ')}: losing it would take application and ledger together; a laboratory may say sharesRegion: true`,
    ),
  ];
};

const checkActiveActive: Check = (topology) =>
  topology.vips.flatMap((vip, v) =>
    vip.mode === 'active-active' && vip.regions.length < 2
      ? [finding(`vips[${v}].regions`, 'too-few-members', 'active-active needs at least two members')]
      : [],
  );

function regionsOf(topology: Topology, vip: Vip) {
  return topology.regions.filter((region) => vip.regions.includes(region.name));
}

const CHECKS: readonly Check[] = [
  checkNames,
  checkOverlaps,
  checkAsns,
  checkPrependVisible,
  checkStep,
  checkRouteServers,
  checkReferences,
  checkTiming,
  checkWindows,
  checkSymmetry,
  findDataPlaneRefusals,
  checkApps,
  findProbeRefusals,
  checkWitness,
  checkActiveActive,
  findScheduleRefusals,
  findAzureRefusals,
];

/** Everything that makes a well-formed topology wrong, in the order of the checks. */
export const findRefusals = (topology: Topology): Finding[] => CHECKS.flatMap((check) => check(topology));

/** What is legal but doubtful. */
export function findWarnings(topology: Topology): Finding[] {
  return [
    ...topology.vips.flatMap((vip, v) => {
      const found: Finding[] = [];
      if (vip.onLocalFailure === 'withdraw') {
        found.push(
          finding(
            `vips[${v}].onLocalFailure`,
            'withdraw-everywhere',
            'if all applications fail at once no route is left; last-resort keeps one',
          ),
        );
      }
      if (vip.regions.length === 1)
        found.push(finding(`vips[${v}].regions`, 'single-region', 'nothing to fail over to'));
      if (vip.failback.mode === 'auto' && vip.failback.afterSeconds < 2 * topology.timing.routeChangeSeconds) {
        found.push(
          finding(
            `vips[${v}].failback.afterSeconds`,
            'early-failback',
            'fails back within two route-change windows; the second change may wait',
          ),
        );
      }
      if (!vip.health.sentinel)
        found.push(finding(`vips[${v}].health.sentinel`, 'no-sentinel', 'a crash is noticed by the next probe only'));
      if (vip.mode === 'active-active' && topology.observers.length === 0) {
        found.push(
          finding(
            `vips[${v}].mode`,
            'unobserved-ecmp',
            'without an observer nothing proves that on-premises uses all members',
          ),
        );
      }
      return found;
    }),
    ...topology.regions
      .filter((region) => region.circuit === undefined && topology.transport.kind === 'expressroute')
      .map((region) =>
        finding(
          `regions[${region.name}].circuit`,
          'circuit-not-checked',
          'without a circuit that step of a proof is never checked',
        ),
      ),
    ...findDataPlaneWarnings(topology),
    ...(topology.seats.length === 1
      ? [finding('seats', 'single-seat', 'one seat only: its region takes the judgement with it')]
      : []),
    ...(topology.witness.sharesRegion
      ? [finding('witness.sharesRegion', 'witness-shares-region', 'laboratory setting')]
      : []),
  ];
}
