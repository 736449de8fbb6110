// Runs Azurite as a child of the lab: blob and table storage on free ports, in memory, gone with the lab.
import { createRequire } from 'node:module';
import { endWithLab, sayReady } from './child-process.ts';

const LISTENING = /Azurite (Blob|Queue|Table) service is successfully listening at http:\/\/127\.0\.0\.1:(\d+)/;
const SERVICES = ['Blob', 'Queue', 'Table'] as const;

/** Azurite says its ports on stdout only; the line that names the last one makes this process ready. */
function watchStdout(): void {
  const ports = new Map<string, number>();
  const write = process.stdout.write.bind(process.stdout) as (chunk: string | Uint8Array) => boolean;
  process.stdout.write = (chunk: string | Uint8Array): boolean => {
    const found = LISTENING.exec(String(chunk));
    if (found !== null) {
      ports.set(String(found[1]), Number(found[2]));
      if (ports.size === SERVICES.length) sayReady({ blobPort: ports.get('Blob'), tablePort: ports.get('Table') });
    }
    return write(chunk);
  };
}

function main(): void {
  const ports = ['--blobPort', '0', '--queuePort', '0', '--tablePort', '0'];
  // The lab's storage lives as long as the lab. On disk a small blob takes 10 to 20 ms, in memory 2 to 4.
  const flags = ['--inMemoryPersistence', '--disableTelemetry', '--skipApiVersionCheck', '--silent'];
  process.argv.splice(2, process.argv.length, ...ports, ...flags);
  watchStdout();
  endWithLab(async () => undefined);
  createRequire(import.meta.url)('azurite/dist/src/azurite.js');
}

if (process.send !== undefined && import.meta.main) main();
