// Which vips the machine serves as planned right now, whatever went wrong on the way. Values in, values out.
import type { Device } from './devices.ts';
import { counterName } from './forward-rules.ts';
import { proxyName } from './haproxy-config.ts';
import { type DataPlaneConfig, type DataPlaneVip, VIP_DEVICE } from './plan.ts';

/** What stands, read from kernel and proxy. */
export interface Standing {
  readonly devices: readonly Device[];
  /** Sections of the running proxy. */
  readonly proxies: ReadonlySet<string>;
  /** Our forwarding table as the kernel lists it; undefined when there is none. */
  readonly forwardTable: string | undefined;
  readonly forwards: boolean;
  /** Whether the daemon that shares sessions with the other NVA answers. */
  readonly sharesSessions: boolean;
}

/** Names of the vips whose traffic would reach their application. */
export function servedVips(config: DataPlaneConfig, standing: Standing): string[] {
  const addresses = standing.devices.find((device) => device.name === VIP_DEVICE)?.addresses ?? [];
  const isHeld = (vip: DataPlaneVip) => addresses.some(({ address }) => address === `${vip.address}/32`);
  const isCarried = (vip: DataPlaneVip) =>
    vip.mode === 'reverse-proxy'
      ? vip.ports.every((port) => standing.proxies.has(proxyName(vip.vip, port)))
      : standing.forwards &&
        standing.forwardTable?.includes(`counter ${counterName(vip.vip, 'new')} {`) === true &&
        (vip.symmetry !== 'shared-sessions' || standing.sharesSessions);
  return config.vips.filter((vip) => isHeld(vip) && isCarried(vip)).map((vip) => vip.vip);
}
