// Counts vips' connections in the kernel's connection table (conntrack), for vips that the kernel forwards.
import type { Execute } from './execution.ts';
import type { DataPlaneVip } from './plan.ts';

/** A table of a million connections is read within this time. */
const READ_MS = 10_000;

/**
 * Connections by vip address that stand now: established ones for TCP, remembered exchanges for UDP. The table is
 * read once per protocol, line by line, however many vips there are.
 */
export async function countConnections(
  execute: Execute,
  vips: readonly DataPlaneVip[],
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map(vips.map((vip) => [vip.address, 0]));
  for (const protocol of new Set(vips.flatMap((vip) => vip.ports.map((port) => port.protocol)))) {
    const state = protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : [];
    await execute(['conntrack', '-L', '-f', 'ipv4', '-p', protocol, ...state], {
      timeoutMs: READ_MS,
      onLine: (line) => {
        // The first dst is that of the original direction: the address the client asked for.
        const address = / dst=(\S+)/.exec(line)?.[1] ?? '';
        const count = counts.get(address);
        if (count !== undefined) counts.set(address, count + 1);
      },
    });
  }
  return counts;
}
