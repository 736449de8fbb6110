// The BGP policy of a deployment as a Markdown document: what is announced where, what on-premises sees in each
// situation, and the routers' configuration. Pure: topology in, text out.
import { baseRung, lastResortRung, prependCount } from '../../shared/ladder.ts';
import { ladderOf } from '../../shared/topology.ts';
import type { Topology, Vip } from '../../shared/topology-schema.ts';
import { type Scenario, scenariosOf } from './policy-scenarios.ts';
import { ROUTERS, type Router, snippetOf } from './policy-snippets.ts';
import { formatPath } from './text.ts';

const TITLES: Readonly<Record<Router, string>> = { 'ios-xe': 'IOS-XE', junos: 'Junos', frr: 'FRR', bird: 'BIRD 2' };
const LANGUAGES: Readonly<Record<Router, string>> = { 'ios-xe': 'text', junos: 'text', frr: 'text', bird: 'text' };

export function policyDocument(topology: Topology, asn: number): string {
  return [
    `# BGP policy of ${topology.name}`,
    '',
    'Made from anycast.yaml by `anycastctl policy-doc`. Paths are written with prepends counted: `64500×12`.',
    '',
    ...transportLines(topology),
    ...tableOf(
      ['NVA', 'region', 'AS number', 'announces to', 'BGP connection'],
      topology.regions.flatMap((region) =>
        region.nvas.map((nva) => [
          nva.name,
          region.name,
          String(nva.asn),
          region.routeServer.peers.join(', '),
          nva.bgpConnection,
        ]),
      ),
    ),
    ...ladderLines(topology),
    ...topology.vips.flatMap((vip) => vipLines(topology, vip)),
    ...rules(topology),
    '## Router configuration',
    '',
    `The addresses 198.51.100.x and AS ${asn} stand for your links and your AS number.`,
    '',
    ...ROUTERS.flatMap((router) => [
      `### ${TITLES[router]}`,
      '',
      `\`\`\`${LANGUAGES[router]}`,
      snippetOf(router, topology, asn).trimEnd(),
      '```',
      '',
    ]),
  ].join('\n');
}

function transportLines({ transport, prepend }: Topology): string[] {
  const own = prepend.asn === undefined ? "each NVA's own AS number" : `AS ${prepend.asn}`;
  const how =
    transport.kind === 'vpn'
      ? 'VPN gateways pass AS paths on unchanged: on-premises routers compare them.'
      : transport.circuits === 'shared'
        ? 'All regions share one ExpressRoute circuit: its edge routers compare paths before they remove private AS numbers.'
        : 'Each region has an ExpressRoute circuit of its own. Edge routers remove private AS numbers, so on-premises compares what is left: the prepended AS number must not be private.';
  return ['## Transport', '', `${how} Prepended: ${own}.`, ''];
}

function ladderLines(topology: Topology): string[] {
  const ladder = ladderOf(topology);
  const ranks = Math.max(...topology.vips.map((vip) => vip.regions.length));
  const rows = [
    ...Array.from({ length: ladder.headroom }, (_, rung) => [
      String(rung),
      String(prependCount(ladder, rung)),
      'free: taken by moves, one below the other, and given back when all is calm',
    ]),
    ...Array.from({ length: ranks }, (_, rank) => {
      const rung = baseRung(ladder, rank);
      return [String(rung), String(prependCount(ladder, rung)), `base of the region ranked ${rank + 1}`];
    }),
    [
      String(lastResortRung(ladder, ranks)),
      String(prependCount(ladder, lastResortRung(ladder, ranks))),
      'last resort: the application there has failed; announced so that the prefix never vanishes',
    ],
  ];
  return ['## Rungs', '', ...tableOf(['rung', 'prepends', 'meaning'], rows)];
}

function vipLines(topology: Topology, vip: Vip): string[] {
  return [
    `## ${vip.name} ${vip.prefix}`,
    '',
    `Mode ${vip.mode}; ${vip.mode === 'active-active' ? 'members' : 'ranking'}: ${vip.regions.join(', ')}; failback ${vip.failback.mode}.`,
    '',
    ...scenariosOf(topology, vip).flatMap((scenario) => scenarioLines(scenario)),
  ];
}

function scenarioLines({ name, wins, rows }: Scenario): string[] {
  const edges = rows.find((row) => row.onPremises.length > 0)?.onPremises.map(({ edge }) => edge) ?? [];
  const hasTags = rows.some((row) => row.communities.length > 0 || row.med !== null);
  return [
    `**${name}**: traffic goes to ${wins}.`,
    '',
    ...tableOf(
      ['region', 'rung', 'announced', ...edges.map((edge) => `seen behind ${edge}`), ...(hasTags ? ['tags'] : [])],
      rows.map((row) => [
        row.region,
        row.rung === null ? '-' : String(row.rung),
        row.rung === null ? 'withheld' : formatPath(row.announced),
        ...edges.map((edge) => formatPath(row.onPremises.find((one) => one.edge === edge)?.asPath ?? []) || '-'),
        ...(hasTags ? [[...row.communities, ...(row.med === null ? [] : [`MED ${row.med}`])].join(' ') || '-'] : []),
      ]),
    ),
  ];
}

function rules(topology: Topology): string[] {
  const isShared = topology.vips.some((vip) => vip.mode === 'active-active');
  return [
    '## Rules for on-premises',
    '',
    '- Accept the prefixes above from Azure at every router that has a way there, and nothing longer.',
    '- Let the AS path decide. A local preference or weight by neighbour overrides every failover.',
    isShared
      ? '- Active-active: allow several equal paths; paths of equal length may differ in content (multipath-relax).'
      : '- No ECMP for these prefixes is needed: lengths differ by at least one step whenever all is well.',
    '- Do not dampen these prefixes: a failover is a change, not a flap.',
    '- Communities reach on-premises over ExpressRoute only if the edge passes them on; check before you rely on them.',
    '',
  ];
}

const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  `| ${head.join(' | ')} |`,
  `| ${head.map(() => '---').join(' | ')} |`,
  ...rows.map((row) => `| ${row.join(' | ')} |`),
  '',
];
