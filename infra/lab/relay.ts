// A cable between two parties of the lab that can be cut: closed, it accepts nothing and ends what is there.
import { startTcpForwarder, type Target, type TcpForwarder } from './tcp-forwarder.ts';

export interface Relay {
  readonly port: number;
  /** Where it leads from now on; undefined while the far side is not up. */
  lead(target: Target | undefined): void;
  cut(): void;
  mend(): void;
  readonly isCut: boolean;
  close(): Promise<void>;
}

/** A relay on a free port of loopback. Connections made while it is cut, or leads nowhere, are reset. */
export async function startRelay(first?: Target): Promise<Relay> {
  let target = first;
  let isCut = false;
  const forwarder: TcpForwarder = await startTcpForwarder({ pick: () => (isCut ? undefined : target) });
  return {
    port: forwarder.port,
    lead(next) {
      target = next;
    },
    cut() {
      isCut = true;
      forwarder.keepOnly(() => false);
    },
    mend() {
      isCut = false;
    },
    get isCut() {
      return isCut;
    },
    close: () => forwarder.close(),
  };
}
