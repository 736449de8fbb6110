// Azurite as a child process on free ports, for tests of what talks to storage.
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';

/** Azurite's published account. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
const LISTENING = /Azurite (Blob|Queue|Table) service is successfully listening at http:\/\/127\.0\.0\.1:(\d+)/g;
const READY_MS = 30_000;

export interface Azurite {
  readonly connectionString: string;
  /** Nobody answers until `resume`: as a storage account that cannot be reached. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

export async function startAzurite(): Promise<Azurite> {
  const script = createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js');
  const ports = ['--blobPort', '0', '--queuePort', '0', '--tablePort', '0'];
  const flags = ['--inMemoryPersistence', '--disableTelemetry', '--skipApiVersionCheck', '--silent'];
  const child = spawn(process.execPath, [script, ...ports, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const found = await portsOf(child);
  const endpoint = (service: string) => `http://127.0.0.1:${found.get(service)}/${ACCOUNT}`;
  return {
    connectionString: [
      `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY}`,
      `BlobEndpoint=${endpoint('Blob')};QueueEndpoint=${endpoint('Queue')};TableEndpoint=${endpoint('Table')};`,
    ].join(';'),
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

function portsOf(child: ChildProcess): Promise<Map<string, number>> {
  return new Promise((resolve, reject) => {
    const ports = new Map<string, number>();
    let text = '';
    const late = setTimeout(() => reject(new Error(`azurite is not ready: ${text}`)), READY_MS);
    child.once('exit', (code) => reject(new Error(`azurite ended with ${code}: ${text}`)));
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      for (const [, service, port] of text.matchAll(LISTENING)) ports.set(String(service), Number(port));
      if (ports.size < 3) return;
      clearTimeout(late);
      child.removeAllListeners('exit');
      resolve(ports);
    });
  });
}
