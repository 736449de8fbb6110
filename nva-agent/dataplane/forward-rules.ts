// The nftables table that forwards vips by DNAT (and SNAT), with counters per vip. Text only.
// Carries our name; replaces itself in one transaction and touches no other table.
import { parseIpv4 } from '../../shared/ip.ts';
import { type DataPlaneConfig, type DataPlanePort, type DataPlaneVip, FORWARD_TABLE } from './plan.ts';

const isForwarded = (vip: DataPlaneVip): boolean => vip.mode !== 'reverse-proxy';

/** Whether the kernel forwards any vip; if not there is no table at all. */
export const needsForwarding = (config: DataPlaneConfig): boolean => config.vips.some(isForwarded);

/** Name of a counter of a vip: bytes each way, or new connections (packets). */
export const counterName = (vip: string, what: 'in' | 'out' | 'new'): string => `${vip.replaceAll('-', '_')}_${what}`;

/**
 * The whole ruleset as text for `nft -f`: the old table goes and the new one comes in one transaction. Connections go
 * on meanwhile, because their translation stands in the connection table, not in the rules.
 */
export function renderNftables(config: DataPlaneConfig): string {
  const vips = config.vips.filter(isForwarded);
  for (const vip of vips) assertAddresses(vip);
  return [
    `table ip ${FORWARD_TABLE} {}`,
    `delete table ip ${FORWARD_TABLE}`,
    `table ip ${FORWARD_TABLE} {`,
    ...vips.flatMap((vip) => [
      `  counter ${counterName(vip.vip, 'new')} { }`,
      `  counter ${counterName(vip.vip, 'in')} { }`,
      `  counter ${counterName(vip.vip, 'out')} { }`,
    ]),
    '  chain translate {',
    '    type nat hook prerouting priority dstnat; policy accept;',
    ...vips.flatMap((vip) => vip.ports.map((port) => `    ${dnat(vip, port)}`)),
    '  }',
    '  chain hide {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    // Without it the application would answer the client directly and past this NVA.
    ...vips.filter((vip) => vip.mode === 'snat').map((vip) => `    ${ofVip(vip)} ct status dnat masquerade`),
    '  }',
    '  chain wait_for_word {',
    '    type filter hook prerouting priority filter; policy accept;',
    ...vips
      .filter((vip) => vip.symmetry === 'shared-sessions')
      .map((vip) => `    ip daddr ${vip.address} ct state invalid drop`),
    '  }',
    '  chain traffic {',
    '    type filter hook forward priority filter; policy accept;',
    ...vips
      .filter((vip) => vip.symmetry === 'shared-sessions')
      .flatMap((vip) => vip.ports.map((port) => `    ${holdBack(vip, port)}`)),
    ...vips.flatMap((vip) => [
      `    ct direction original ${ofVip(vip)} counter name "${counterName(vip.vip, 'in')}"`,
      `    ct direction reply ${ofVip(vip)} counter name "${counterName(vip.vip, 'out')}"`,
    ]),
    '  }',
    '}',
    '',
  ].join('\n');
}

const ofVip = (vip: DataPlaneVip): string => `ct original ip daddr ${vip.address}`;

const dnat = (vip: DataPlaneVip, port: DataPlanePort): string =>
  `ip daddr ${vip.address} ${port.protocol} dport ${port.listen} counter name "${counterName(vip.vip, 'new')}" dnat to ${vip.appHost}:${port.to}`;

/**
 * Of a connection whose directions go through different NVAs either one can hear by its own packets before the other's
 * word arrives: wait_for_word drops what comes in too early (the client repeats it), this drops what goes out too
 * early.
 *
 * An answer can come here before the other NVA's word of its connection does. Passed on untranslated it would reset
 * the connection at the client; dropped, the application repeats it a moment later and by then the word is here. An
 * application opens no connections from the port it serves on, so nothing else is lost.
 */
const holdBack = (vip: DataPlaneVip, port: DataPlanePort): string =>
  `ip saddr ${vip.appHost} ${port.protocol} sport ${port.to} ct state { invalid, new } drop`;

function assertAddresses(vip: DataPlaneVip): void {
  for (const text of [vip.address, vip.appHost]) {
    if (parseIpv4(text) === undefined) throw new RangeError(`${vip.vip}: ${text} is no IPv4 address`);
  }
}
