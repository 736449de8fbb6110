// Runs conntrackd with our configuration: started when wanted, replaced when it changes, ended when not wanted.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatingError } from '../../shared/errors.ts';
import { parseDevices } from './devices.ts';
import type { Execute } from './execution.ts';
import type { Applied } from './nftables.ts';
import type { DataPlaneConfig } from './plan.ts';
import { needsSharedSessions, renderConntrackd } from './shared-sessions-config.ts';

/** It answers on its socket within this long. */
const START_MS = 3000;
const LOOK_AGAIN_MS = 50;

export interface SharedSessions {
  apply(config: DataPlaneConfig): Promise<Applied>;
  stop(): Promise<void>;
  /** Whether our conntrackd answers. */
  isUp(): Promise<boolean>;
}

export function createSharedSessions(execute: Execute, folder: string): SharedSessions {
  const file = join(folder, 'conntrackd.conf');
  const sockets = { controlSocket: join(folder, 'conntrackd.ctl'), lockFile: join(folder, 'conntrackd.lock') };
  /** Its answer, or undefined when none of ours runs. */
  const ask = (option: string) => execute(['conntrackd', '-C', file, option]).catch(() => undefined);

  const untilIt = async (answers: boolean): Promise<boolean> => {
    const deadline = performance.now() + START_MS;
    while (((await ask('-s')) !== undefined) !== answers) {
      if (performance.now() >= deadline) return false;
      await sleep(LOOK_AGAIN_MS);
    }
    return true;
  };

  const stop = async (): Promise<void> => {
    if ((await ask('-s')) !== undefined) {
      await ask('-k');
      if (!(await untilIt(false))) {
        throw new OperatingError('not-applied', 'conntrackd does not end', { retryable: true });
      }
    }
    await Promise.all([file, ...Object.values(sockets)].map((path) => rm(path, { force: true })));
  };

  return {
    stop,
    isUp: async () => (await ask('-s')) !== undefined,
    apply: async (config) => {
      const standing = await readFile(file, 'utf8').catch(() => undefined);
      if (!needsSharedSessions(config)) {
        if (standing === undefined) return 'unchanged';
        await stop();
        return 'changed';
      }
      const text = renderConntrackd(config, { ...sockets, interface: await interfaceOf(execute, config.address) });
      if (standing === text && (await ask('-s')) !== undefined) return 'unchanged';
      if (standing !== undefined) await stop();
      await writeFile(file, text, { mode: 0o600 });
      await execute(['conntrackd', '-C', file, '-d']);
      if (!(await untilIt(true))) {
        throw new OperatingError('not-applied', 'conntrackd does not answer after its start', { retryable: true });
      }
      // What the other NVA knows already, and what we know and it does not.
      await ask('-n');
      await ask('-B');
      return 'changed';
    },
  };
}

async function interfaceOf(execute: Execute, address: string): Promise<string> {
  const devices = parseDevices(await execute(['ip', '-j', '-d', 'addr', 'show']));
  const found = devices.find((device) =>
    device.addresses.some((standing) => standing.address.startsWith(`${address}/`)),
  );
  if (found !== undefined) return found.name;
  throw new OperatingError('address-missing', `no interface holds ${address}, this NVA's own address`, {
    retryable: true,
  });
}
