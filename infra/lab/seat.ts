// One seat of the control plane as a child of the lab: functions/app.ts, unchanged, on the in-process Functions host.
import { readFileSync } from 'node:fs';
import { endWithLab, sayReady } from './child-process.ts';
import { startHost } from './host/host.ts';
import { parseHostSettings } from './host/host-settings.ts';
import { installFunctionsCore } from './host/install-functions-core.ts';
import { installShiftableClock, isClockMessage } from './wall-clock.ts';

export interface SeatArguments {
  readonly port: number;
  readonly taskHubFile: string;
  /** The application's host.json. */
  readonly hostJson: string;
}

async function main(): Promise<void> {
  const { port, taskHubFile, hostJson } = JSON.parse(process.argv[2] ?? '{}') as SeatArguments;
  const setClockOffset = installShiftableClock();
  process.on('message', (message) => {
    if (isClockMessage(message)) setClockOffset(message.offsetMs);
  });
  installFunctionsCore();
  const host = await startHost({
    port,
    taskHubFile,
    settings: parseHostSettings(JSON.parse(readFileSync(hostJson, 'utf8'))),
    loadApp: () => import('../../functions/app.ts'),
    log: (entry) => {
      if (entry.level !== 'trace' && entry.level !== 'debug') process.stderr.write(`${JSON.stringify(entry)}\n`);
    },
  });
  endWithLab(() => host.stop());
  sayReady({ port: host.port });
}

if (process.send !== undefined && import.meta.main) await main();
