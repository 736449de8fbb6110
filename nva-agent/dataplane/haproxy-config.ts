// The configuration of the HAProxy that serves vips in mode reverse-proxy (2.6 and later). Text only.
import { parseIpv4 } from '../../shared/ip.ts';
import type { DataPlaneConfig, DataPlanePort, DataPlaneVip } from './plan.ts';

/**
 * Descriptors HAProxy may use, two per connection; with less allowed by the system it makes do with that. Without a
 * bound it would set memory aside for a million on some systems.
 */
export const PROXY_DESCRIPTORS_MAX = 40_000;
const CONNECT_SECONDS = 5;
/** A replaced worker lives until its connections are done, but not longer than a day. */
const REPLACED_WORKER_SECONDS = 86_400;

export interface HaproxyPlace {
  /** Socket of the worker's statistics. */
  readonly statsSocket: string;
  /** Says which configuration runs; read back by `show info`. Empty while the stamp itself is computed. */
  readonly stamp: string;
}

const isProxied = (vip: DataPlaneVip): boolean => vip.mode === 'reverse-proxy';

/** Whether any vip is served by the reverse proxy; if not, none runs. */
export const needsProxy = (config: DataPlaneConfig): boolean => config.vips.some(isProxied);

/** Name of the section of one port of a vip; `vipOfProxy` undoes it. */
export const proxyName = (vip: string, port: DataPlanePort): string => `${vip}:${port.listen}`;
export const vipOfProxy = (proxy: string): string => proxy.slice(0, proxy.lastIndexOf(':'));

/** Names of all sections that this configuration has. */
export const proxyNames = (config: DataPlaneConfig): string[] =>
  config.vips.filter(isProxied).flatMap((vip) => vip.ports.map((port) => proxyName(vip.vip, port)));

/**
 * TCP mode: bytes pass unread, so TLS ends in the application and half-closed connections stay as they are. No health
 * checks: whether the region serves is the agent's decision, made by moving the route, not by refusing connections.
 */
export function renderHaproxy(config: DataPlaneConfig, place: HaproxyPlace): string {
  const vips = config.vips.filter(isProxied);
  const hasNames = vips.some((vip) => parseIpv4(vip.appHost) === undefined);
  return [
    '# Written by anycast-agent, which replaces it whole.',
    'global',
    `    description anycast-agent ${place.stamp}`,
    `    stats socket ${assertWord(place.statsSocket)} mode 600 level admin expose-fd listeners`,
    `    fd-hard-limit ${PROXY_DESCRIPTORS_MAX}`,
    `    hard-stop-after ${REPLACED_WORKER_SECONDS}s`,
    'defaults',
    '    mode tcp',
    `    timeout connect ${CONNECT_SECONDS}s`,
    '    retries 2',
    '    option clitcpka',
    '    option srvtcpka',
    ...(hasNames ? ['resolvers system', '    parse-resolv-conf'] : []),
    ...vips.flatMap((vip) => vip.ports.flatMap((port) => renderPort(vip, port))),
    '',
  ].join('\n');
}

function renderPort(vip: DataPlaneVip, port: DataPlanePort): string[] {
  const isName = parseIpv4(vip.appHost) === undefined;
  const lookUp = isName ? ' resolvers system init-addr last,libc,none' : '';
  return [
    `listen ${assertWord(proxyName(vip.vip, port))}`,
    `    bind ${assertWord(vip.address)}:${port.listen}`,
    `    timeout client ${vip.idleSeconds}s`,
    `    timeout server ${vip.idleSeconds}s`,
    `    server app ${assertWord(vip.appHost)}:${port.to}${lookUp}`,
  ];
}

/** What reaches a daemon's configuration is one word without anything that could end a line or an argument. */
function assertWord(text: string): string {
  if (!/^[A-Za-z0-9._:/@+-]+$/.test(text)) throw new RangeError(`not a plain word: ${JSON.stringify(text)}`);
  return text;
}
