// One NVA as a child of the lab: the real agent and a data plane beside it (a TCP proxy per vip to the region's
// application), so that killing or freezing the process takes both, as on a real NVA.

import { loadAgentConfig } from '../../nva-agent/control/config.ts';
import { startAgent } from '../../nva-agent/runtime.ts';
import { formatFindings } from '../../shared/result.ts';
import { endWithLab, sayReady } from './child-process.ts';
import { startTcpForwarder } from './tcp-forwarder.ts';
import { installShiftableClock, isClockMessage } from './wall-clock.ts';

export interface NvaArguments {
  /** agent.yaml of this NVA. */
  readonly agentFile: string;
  /** By vip: port of the region's application on loopback. */
  readonly apps: Readonly<Record<string, number>>;
}

async function main(): Promise<void> {
  const { agentFile, apps } = JSON.parse(process.argv[2] ?? '{}') as NvaArguments;
  const setClockOffset = installShiftableClock();
  process.on('message', (message) => {
    if (isClockMessage(message)) setClockOffset(message.offsetMs);
  });
  const config = await loadAgentConfig(agentFile);
  if (!config.ok) {
    process.stderr.write(`${formatFindings(config.error)}\n`);
    process.exit(2);
  }
  const proxies = await Promise.all(
    Object.entries(apps).map(async ([vip, port]) => {
      const proxy = await startTcpForwarder({ pick: () => ({ host: '127.0.0.1', port }) });
      return [vip, proxy] as const;
    }),
  );
  const agent = await startAgent(config.value);
  void agent.gone.then(() => process.exit(0));
  endWithLab(() => agent.stop());
  sayReady({
    agentPort: agent.port,
    dataPlane: Object.fromEntries(proxies.map(([vip, proxy]) => [vip, proxy.port])),
  });
}

if (process.send !== undefined && import.meta.main) await main();
