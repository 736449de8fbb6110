// The include file that holds our routes for BIRD: one static protocol, whose routes carry their attributes.
// It must never know files, sockets or the time.
import type { Route } from '../bgp/messages.ts';
import { checkedRoute } from './daemon-text.ts';

/** The static protocol that is ours; everything else in BIRD is somebody else's. */
export const BIRD_PROTOCOL = 'anycast_agent';

const HEADER = '# Written by anycast-agent, replaced at every change.\n';

/** The file for these routes. Without any route it defines nothing: BIRD started without an agent then announces nothing. */
export function renderBirdConfig(routes: readonly Route[], table: string): string {
  if (routes.length === 0) return HEADER;
  const lines = routes.map((route) => `  ${renderRoute(checkedRoute(route))}\n`);
  return `${HEADER}protocol static ${BIRD_PROTOCOL} {\n  ipv4 { table ${table}; import all; };\n${lines.join('')}}\n`;
}

/** BIRD adds its own ASN, the first of the path, on the way out. */
function renderRoute({ prefix, asPath, med, communities = [] }: Route): string {
  const attributes = [
    // The last ASN of the path was prepended first.
    ...asPath
      .slice(1)
      .reverse()
      .map((asn) => `bgp_path.prepend(${String(asn)});`),
    ...communities.map((community) => `bgp_community.add((${community.replace(':', ',')}));`),
    ...(med === undefined ? [] : [`bgp_med = ${med};`]),
  ];
  return attributes.length === 0
    ? `route ${prefix} blackhole;`
    : `route ${prefix} blackhole { ${attributes.join(' ')} };`;
}
