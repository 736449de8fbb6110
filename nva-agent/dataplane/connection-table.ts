// Counts a vip's connections in the kernel's connection table (conntrack), for vips that the kernel forwards.
import type { Execute } from './execution.ts';
import type { DataPlaneVip } from './plan.ts';

/** A table of a million connections is read within this time. */
const READ_MS = 10_000;

/** Connections of this vip that stand now: established ones for TCP, remembered exchanges for UDP. */
export async function countConnections(execute: Execute, vip: DataPlaneVip): Promise<number> {
  let count = 0;
  for (const protocol of new Set(vip.ports.map((port) => port.protocol))) {
    const state = protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : [];
    await execute(['conntrack', '-L', '-f', 'ipv4', '-p', protocol, '--orig-dst', vip.address, ...state], {
      timeoutMs: READ_MS,
      onLine: () => {
        count += 1;
      },
    });
  }
  return count;
}
