// Brings vips and tunnel to what is planned with ip(8) and bridge(8), and reads them back.
import { OperatingError } from '../../shared/errors.ts';
import {
  type DeviceChange,
  diffTunnelDevice,
  diffVipAddresses,
  isNoChange,
  isTunnelForeign,
  parseDevices,
  parseNeighbours,
} from './devices.ts';
import type { Execute } from './execution.ts';
import type { Applied } from './nftables.ts';
import { type DataPlaneConfig, TUNNEL_DEVICE } from './plan.ts';

/** Throws OperatingError when the tunnel's name is taken, or when what was done does not stand. */
export async function applyDevices(execute: Execute, config: DataPlaneConfig): Promise<Applied> {
  const change = await diffDevices(execute, config);
  if (change.every(isNoChange)) return 'unchanged';
  for (const { ip, bridge } of change) {
    if (ip.length > 0) await execute(['ip', '-batch', '-'], { stdin: `${ip.join('\n')}\n` });
    if (bridge.length > 0) await execute(['bridge', '-batch', '-'], { stdin: `${bridge.join('\n')}\n` });
  }
  const left = (await diffDevices(execute, config)).filter((rest) => !isNoChange(rest));
  if (left.length > 0) {
    const text = left.flatMap((rest) => [...rest.ip, ...rest.bridge]).join('; ');
    throw new OperatingError('not-applied', `still to do after it was done: ${text}`, { retryable: true });
  }
  return 'changed';
}

async function diffDevices(execute: Execute, config: DataPlaneConfig): Promise<DeviceChange[]> {
  const devices = parseDevices(await execute(['ip', '-j', '-d', 'addr', 'show']));
  if (config.tunnel !== undefined && isTunnelForeign(devices)) {
    throw new OperatingError('not-ours', `${TUNNEL_DEVICE} exists and is not marked as ours`, { retryable: false });
  }
  const ours = isTunnelForeign(devices) ? devices.filter((device) => device.name !== TUNNEL_DEVICE) : devices;
  const hasTunnel = ours.some((device) => device.name === TUNNEL_DEVICE);
  const neighbours = hasTunnel
    ? parseNeighbours(
        await execute(['ip', '-j', 'neigh', 'show', 'dev', TUNNEL_DEVICE, 'nud', 'permanent']),
        await execute(['bridge', '-j', 'fdb', 'show', 'dev', TUNNEL_DEVICE]),
      )
    : [];
  return [diffVipAddresses(ours, config), diffTunnelDevice(ours, neighbours, config.tunnel)];
}
