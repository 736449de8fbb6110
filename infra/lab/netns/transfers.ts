// Long transfers across the moves of a scenario, as the lab sees them: begun, ended, counted.
import { join } from 'node:path';
import { nowMs } from './client-feed.ts';
import type { LabContext } from './context.ts';
import { VIP } from './plan.ts';
import { until } from './poll.ts';
import { nodeArgv } from './processes.ts';
import { untilReady } from './region.ts';
import type { TransferArguments } from './transfer-client.ts';

/** Length of a transfer when a scenario is measured. */
export const TRANSFER_SECONDS = 60;
const BYTES_PER_SECOND = 200_000;
const KEEP_ALIVES = 20;
/** The last ones end within their own time and some. */
const SPARE_MS = 20_000;

export interface TransferCount {
  readonly intact: number;
  readonly broken: number;
}

export interface TransferTotals {
  readonly seconds: number;
  /** Checked by SHA-256 at the end that received them. */
  readonly downloads: TransferCount;
  readonly uploads: TransferCount;
  /** Connections that asked five times a second for as long. */
  readonly keepAlives: TransferCount;
  readonly problems: readonly string[];
}

export interface TransferResult extends TransferTotals {
  /** Changes of the on-premises route while they ran. */
  readonly moves: number;
}

export interface Transfers {
  /** Begins no more, and answers when the last one is over. */
  end(movesSince: (fromMs: number) => number): Promise<TransferResult>;
}

/** Downloads, uploads and keep-alive connections, one after the other, from the client to the vip. */
export async function startTransfers({ plan, processes }: LabContext, seconds: number): Promise<Transfers> {
  const options: TransferArguments = {
    host: VIP.address,
    port: VIP.port,
    seconds,
    bytes: seconds * BYTES_PER_SECOND,
    keepAlives: KEEP_ALIVES,
  };
  const startedAtMs = nowMs();
  const process = processes.start({
    name: 'transfers',
    namespace: plan.client,
    isOwnMachine: true,
    argv: nodeArgv(join(import.meta.dirname, 'transfer-client.ts'), JSON.stringify(options)),
    ipc: true,
  });
  let totals: TransferTotals | undefined;
  process.onMessage((message) => {
    totals = (message as { totals?: TransferTotals }).totals ?? totals;
  });
  await untilReady(process);
  return {
    end: async (movesSince) => {
      process.send({ type: 'end' });
      const told = await until('the transfers are over', seconds * 1000 + SPARE_MS, () => totals);
      return { ...told, moves: movesSince(startedAtMs) };
    },
  };
}

/** Whether every transfer of every kind arrived whole, and there was one of each. */
export const areIntact = ({ downloads, uploads, keepAlives }: TransferTotals): boolean =>
  [downloads, uploads, keepAlives].every(({ intact, broken }) => broken === 0 && intact > 0);
