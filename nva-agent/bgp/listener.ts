// Listens for BGP connections and hands each to the session of the peer it comes from.
// Shell: off by default in the agent, which dials; the lab's Route Server model and collision tests listen.
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { rejectConnection, type Session } from './session.ts';

export interface ListenerOptions {
  readonly address: string;
  /** 0 for any free port. */
  readonly port: number;
  /** The session of a peer's address; undefined refuses the connection. */
  readonly sessionFor: (remoteAddress: string) => Session | undefined;
}

export interface Listener {
  readonly port: number;
  close(): Promise<void>;
}

/** Opens the listening socket; rejects if the address cannot be bound. */
export function listen(options: ListenerOptions): Promise<Listener> {
  const server = createServer((socket) => welcome(socket, options));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.address, () => {
      server.off('error', reject);
      const { port } = server.address() as AddressInfo;
      resolve({ port, close: () => new Promise((closed) => server.close(() => closed())) });
    });
  });
}

function welcome(socket: Socket, options: ListenerOptions): void {
  const remoteAddress = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  const session = options.sessionFor(remoteAddress);
  if (session === undefined) rejectConnection(socket);
  else session.accept(socket);
}
