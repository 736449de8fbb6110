// The storage account of the lab: Azurite as a child, behind cables that can be cut.
import { COMPILE_CACHE, childModule, HEAP_MEGABYTES, YOUNG_MEGABYTES } from './child-module.ts';
import { type Relay, startRelay } from './relay.ts';
import { createRestartable } from './restartable.ts';

/** Azurite's well-known development account: no secret, it opens nothing but a local emulator. */
const ACCOUNT = 'devstoreaccount1';
const ACCOUNT_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface Storage {
  readonly pid: number | null;
  readonly isUp: boolean;
  readonly connectionString: string;
  readonly blobEndpoint: string;
  /** Down: connections end and new ones are refused. What is stored stays. */
  setUp(isUp: boolean): void;
  stop(): Promise<void>;
}

/** Resolves when blobs and tables are served. */
export async function startStorage(directory: string, say: (text: string) => void): Promise<Storage> {
  const relays: Record<'blob' | 'table', Relay> = { blob: await startRelay(), table: await startRelay() };
  const azurite = createRestartable({
    name: 'azurite',
    say,
    child: () => ({
      module: childModule('azurite'),
      environment: { NODE_COMPILE_CACHE: COMPILE_CACHE },
      heapMegabytes: HEAP_MEGABYTES.azurite,
      youngMegabytes: YOUNG_MEGABYTES.azurite,
      logFolder: directory,
    }),
    onReady: ({ ready }) => {
      relays.blob.lead({ host: '127.0.0.1', port: Number(ready.blobPort) });
      relays.table.lead({ host: '127.0.0.1', port: Number(ready.tablePort) });
    },
    onGone: () => {
      for (const relay of Object.values(relays)) relay.lead(undefined);
    },
  });
  await azurite.start();
  const endpoint = (relay: Relay) => `http://127.0.0.1:${relay.port}/${ACCOUNT}`;
  return {
    get pid() {
      return azurite.pid;
    },
    get isUp() {
      return azurite.state() === 'running' && !relays.blob.isCut;
    },
    blobEndpoint: endpoint(relays.blob),
    connectionString: [
      'DefaultEndpointsProtocol=http',
      `AccountName=${ACCOUNT}`,
      `AccountKey=${ACCOUNT_KEY}`,
      `BlobEndpoint=${endpoint(relays.blob)}`,
      `TableEndpoint=${endpoint(relays.table)}`,
    ].join(';'),
    setUp(isUp) {
      for (const relay of Object.values(relays)) {
        if (isUp) relay.mend();
        else relay.cut();
      }
    },
    async stop() {
      await azurite.stop();
      await Promise.all(Object.values(relays).map((relay) => relay.close()));
    },
  };
}
