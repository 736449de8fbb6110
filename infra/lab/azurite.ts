// Runs Azurite as a child of the lab: blob and table storage on free ports, in memory limits, gone with the lab.
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
  const [location = '.'] = process.argv.slice(2);
  const ports = ['--blobPort', '0', '--queuePort', '0', '--tablePort', '0'];
  const flags = ['--location', location, '--disableTelemetry', '--skipApiVersionCheck', '--silent'];
  process.argv.splice(2, process.argv.length, ...ports, ...flags);
  watchStdout();
  endWithLab(async () => undefined);
  createRequire(import.meta.url)('azurite/dist/src/azurite.js');
}

if (process.send !== undefined && import.meta.main) main();
