// What a vip's data plane must mean in its topology: one address, ports, an application to send to, a way back.
import { parseIpv4, parsePrefix } from './ip.ts';
import type { Finding } from './result.ts';
import type { Region, Topology, Vip } from './topology-schema.ts';

/** Vips with a second chance per deployment: a heartbeat names all of them in one packet. */
export const SECOND_CHANCE_VIPS_MAX = 200;

const finding = (path: string, code: string, message: string): Finding => ({ path, code, message });

/** Everything wrong with the data planes of this topology. */
export function findDataPlaneRefusals(topology: Topology): Finding[] {
  const withSecondChance = topology.vips.filter(hasSecondChance).length;
  return [
    ...topology.vips.flatMap((vip, v) =>
      vip.dataPlane.mode === 'none'
        ? []
        : [
            ...checkAddress(vip, `vips[${v}]`),
            ...checkPorts(vip, `vips[${v}].dataPlane.ports`),
            ...checkApplications(topology, vip),
          ],
    ),
    ...(withSecondChance > SECOND_CHANCE_VIPS_MAX
      ? [finding('vips', 'too-many-second-chances', `${withSecondChance} vips; at most ${SECOND_CHANCE_VIPS_MAX}`)]
      : []),
  ];
}

function checkAddress(vip: Vip, path: string): Finding[] {
  if (parsePrefix(vip.prefix)?.length === 32) return [];
  return [
    finding(
      `${path}.prefix`,
      'vip-not-one-address',
      `${vip.prefix} is more than one address; with a data plane of ours a vip is a /32`,
    ),
  ];
}

function checkPorts(vip: Vip, path: string): Finding[] {
  const { mode, ports } = vip.dataPlane;
  if (ports.length === 0) return [finding(path, 'no-ports', `${mode} without a port serves nobody`)];
  const key = (port: (typeof ports)[number]) => `${port.protocol} ${port.listen}`;
  return ports.flatMap((port, i) => [
    ...(ports.findIndex((other) => key(other) === key(port)) < i
      ? [finding(`${path}[${i}].listen`, 'duplicate-port', `${key(port)} is listed twice`)]
      : []),
    ...(mode === 'reverse-proxy' && port.protocol === 'udp'
      ? [finding(`${path}[${i}].protocol`, 'udp-through-proxy', 'the reverse proxy carries TCP only; use snat')]
      : []),
  ]);
}

function checkApplications(topology: Topology, vip: Vip): Finding[] {
  return topology.regions.flatMap((region, r) => {
    if (!vip.regions.includes(region.name)) return [];
    const path = `regions[${r}].apps.${vip.name}`;
    const app = region.apps[vip.name];
    if (app === undefined) {
      return [finding(path, 'app-missing', `${vip.dataPlane.mode} needs the region's application as host:port`)];
    }
    const host = app.slice(0, app.lastIndexOf(':'));
    if (vip.dataPlane.mode === 'reverse-proxy' || parseIpv4(host) !== undefined) return [];
    return [finding(path, 'app-not-an-address', `${host} is a name; ${vip.dataPlane.mode} needs an IPv4 address`)];
  });
}

/** What is legal but doubtful about the data planes of this topology. */
export function findDataPlaneWarnings(topology: Topology): Finding[] {
  return topology.vips.flatMap((vip, v) => {
    const path = `vips[${v}].dataPlane.secondChance`;
    if (!vip.dataPlane.secondChance.enabled) return [];
    if (vip.dataPlane.mode === 'none') {
      return [
        finding(
          path,
          'second-chance-without-data-plane',
          'ignored: somebody else forwards this vip, so its connections are not known to us',
        ),
      ];
    }
    const regions = topology.regions.filter((region) => vip.regions.includes(region.name));
    const nvaCount = regions.reduce((count, region) => count + region.nvas.length, 0);
    if (nvaCount < 2) return [finding(path, 'second-chance-alone', 'one NVA only: nobody to hand connections to')];
    if (vip.nvas === 'all' && regions.some(hasSeveralNvas)) {
      return [
        finding(
          path,
          'second-chance-one-owner',
          'with several active NVAs in a region only connections of the one named as previous owner survive a move',
        ),
      ];
    }
    return [];
  });
}

/** Whether second chances are on for this vip: asked for, and the data plane is ours. */
export const hasSecondChance = (vip: Vip): boolean =>
  vip.dataPlane.secondChance.enabled && vip.dataPlane.mode !== 'none';

const hasSeveralNvas = (region: Region): boolean => region.nvas.length > 1;
