// A TCP forwarder on loopback whose target is chosen per connection: it stands for a router's hop, a reverse proxy's
// listener, or a cable that can be cut. Knows sockets only, no routes.
import { connect, createServer, type Socket } from 'node:net';

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface TcpForwarderOptions {
  /** 0 or absent: any free one. */
  readonly port?: number;
  /** Where the next connection goes; undefined refuses it with a reset, as a router without a route. */
  readonly pick: () => Target | undefined;
}

export interface TcpForwarder {
  readonly port: number;
  /** Resets every connection whose target is not accepted any more. */
  keepOnly(isKept: (target: Target) => boolean): void;
  close(): Promise<void>;
}

/** Connections at a time; more are reset. */
const CONNECTIONS_MAX = 2000;

/** Starts listening on loopback. Rejects when the port is taken. */
export async function startTcpForwarder(options: TcpForwarderOptions): Promise<TcpForwarder> {
  const pairs = new Map<Socket, { readonly far: Socket; readonly target: Target }>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    near.on('error', () => near.destroy());
    const target = pairs.size < CONNECTIONS_MAX ? options.pick() : undefined;
    if (target === undefined) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ ...target, allowHalfOpen: true, noDelay: true });
    pairs.set(near, { far, target });
    join(near, far);
    join(far, near);
    near.on('close', () => pairs.delete(near));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const reset = (near: Socket, far: Socket) => {
    near.resetAndDestroy();
    far.resetAndDestroy();
  };
  return {
    port,
    keepOnly(isKept) {
      for (const [near, { far, target }] of pairs) if (!isKept(target)) reset(near, far);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const [near, { far }] of pairs) reset(near, far);
      }),
  };
}

/** Passes bytes and the end of one direction on; a failure of either side resets the other. */
function join(from: Socket, to: Socket): void {
  from.on('error', () => {
    from.destroy();
    to.resetAndDestroy();
  });
  from.on('close', (hadError) => {
    if (hadError || !from.readableEnded) to.resetAndDestroy();
  });
  from.pipe(to);
}
