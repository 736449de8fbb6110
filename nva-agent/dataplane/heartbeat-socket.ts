// The UDP socket of heartbeats, on the inside address of the tunnel. What cannot be sent is lost, as on any path.
import { createSocket } from 'node:dgram';
import { OperatingError } from '../../shared/errors.ts';
import { decodeHeartbeat, encodeHeartbeat, type Heartbeat } from './heartbeat.ts';
import type { TunnelPlan } from './plan.ts';
import { HEARTBEAT_PORT } from './second-chance-rules.ts';

/** IPv4 and UDP headers. */
const HEADER_BYTES = 28;

export interface HeartbeatSocket {
  send(heartbeat: Heartbeat, innerAddress: string): void;
  close(): void;
}

/** Opens the socket; `onHeartbeat` gets every sound heartbeat that comes from the address it says it comes from. */
export async function openHeartbeatSocket(
  tunnel: TunnelPlan,
  onHeartbeat: (heartbeat: Heartbeat) => void,
): Promise<HeartbeatSocket> {
  const sizeBytes = tunnel.mtu - HEADER_BYTES;
  const socket = createSocket('udp4');
  socket.on('message', (bytes, sender) => {
    const heartbeat = decodeHeartbeat(bytes, sizeBytes);
    const peer = tunnel.peers.find((candidate) => candidate.innerAddress === sender.address);
    if (heartbeat !== undefined && heartbeat.from === peer?.address) onHeartbeat(heartbeat);
  });
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause: Error) => {
      socket.close();
      reject(new OperatingError('heartbeat-socket', cause.message, { retryable: true, cause }));
    };
    socket.once('error', refuse);
    socket.bind({ port: HEARTBEAT_PORT, address: tunnel.innerAddress, exclusive: true }, () => {
      socket.off('error', refuse);
      resolve();
    });
  });
  // Errors of later sends: the peer then confirms nothing, which is all that matters.
  socket.on('error', () => undefined);
  socket.unref();
  return {
    send: (heartbeat, innerAddress) =>
      socket.send(encodeHeartbeat(heartbeat, sizeBytes), HEARTBEAT_PORT, innerAddress, () => undefined),
    close: () => socket.close(),
  };
}
