// What the probes of a vip must mean together.
import type { Finding } from './result.ts';
import type { ProbeConfig, Topology, Vip } from './topology-schema.ts';

/** Refusals of every vip's probes. */
export const findProbeRefusals = (topology: Topology): Finding[] =>
  topology.vips.flatMap((vip, v) => [
    ...checkProbes(vip, `vips[${v}].health`),
    ...checkFromSeats(vip, `vips[${v}].health.fromSeats`),
  ]);

/** Seats stand in other networks: only an address that names each region's own application tells regions apart. */
function checkFromSeats(vip: Vip, path: string): Finding[] {
  if (!vip.health.fromSeats || findSeatProbe(vip) !== undefined) return [];
  return [{ path, code: 'from-seats-without-app', message: 'needs an http, https or tcp probe with {app}' }];
}

function checkProbes({ health }: Vip, path: string): Finding[] {
  const { probe, probes, require } = health;
  if (probe === undefined && probes === undefined) {
    return [{ path: `${path}.probe`, code: 'probe-missing', message: 'give probe, or probes for several' }];
  }
  if (probe !== undefined && probes !== undefined) {
    return [{ path: `${path}.probes`, code: 'probe-and-probes', message: 'give probe or probes, not both' }];
  }
  if (probes === undefined) {
    if (require === undefined) return [];
    return [{ path: `${path}.require`, code: 'require-without-probes', message: 'one probe is always required' }];
  }
  if (typeof require !== 'object' || require.atLeast <= probes.length) return [];
  const message = `at least ${require.atLeast} of ${probes.length} probes can never pass`;
  return [{ path: `${path}.require.atLeast`, code: 'at-least-too-many', message }];
}

/** The probe with which seats ask, before `{app}` is filled in; undefined: none can be asked from elsewhere. */
export const findSeatProbe = ({ health }: Vip): ProbeConfig | undefined =>
  (health.probes ?? (health.probe === undefined ? [] : [health.probe])).find(
    (probe) =>
      (probe.type === 'tcp' && probe.target.includes('{app}')) ||
      ((probe.type === 'http' || probe.type === 'https') && probe.url.includes('{app}')),
  );
