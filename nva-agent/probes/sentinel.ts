// The sentinel: an idle TCP connection to the application, whose loss is the first sign of a crash.
import { connect, type Socket } from 'node:net';
import type { SentinelTarget } from '../plan.ts';
import { isOwnFailure } from './own-failure.ts';

export interface Sentinel {
  stop(): void;
}

/** A refused or lost connection is tried again this soon: the application's return shows as quickly as its loss. */
export const RECONNECT_MS = 250;
/** A server that closes idle connections soon is asked less and less often. */
export const RECONNECT_MS_MAX = 10_000;
/** A connection that lived this long was no rejection. */
const STABLE_MS = 500;
const CONNECT_TIMEOUT_MS = 1000;

/** Keeps the connection and tells of each change; `lost` is also told when the first attempt fails. */
export function startSentinel(target: SentinelTarget, tell: (event: 'up' | 'lost') => void): Sentinel {
  let socket: Socket | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isUp: boolean | undefined;
  let isStopped = false;
  let delayMs = RECONNECT_MS;

  const say = (up: boolean) => {
    if (isStopped || isUp === up) return;
    isUp = up;
    tell(up ? 'up' : 'lost');
  };
  const open = () => {
    let connectedMs: number | undefined;
    let isOurs = false;
    const opened = connect(target);
    socket = opened;
    const deadline = setTimeout(() => opened.destroy(), CONNECT_TIMEOUT_MS);
    opened.once('connect', () => {
      clearTimeout(deadline);
      connectedMs = performance.now();
      opened.setKeepAlive(true, 1000);
      opened.resume();
      say(true);
    });
    // An application that ends its side will serve nobody on this connection: do not linger half-open.
    opened.once('end', () => opened.destroy());
    opened.once('error', (error) => {
      isOurs = isOwnFailure(error);
    });
    opened.once('close', () => {
      clearTimeout(deadline);
      if (isStopped) return;
      delayMs = nextDelayMs(delayMs, connectedMs, performance.now());
      timer = setTimeout(open, delayMs);
      if (!isOurs) say(false);
    });
  };
  open();
  return {
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
      socket?.destroy();
    },
  };
}

/** Quick after a refusal or a long life; doubled when the application accepts and soon closes. */
function nextDelayMs(lastMs: number, connectedMs: number | undefined, nowMs: number): number {
  if (connectedMs === undefined || nowMs - connectedMs >= STABLE_MS) return RECONNECT_MS;
  return Math.min(RECONNECT_MS_MAX, lastMs * 2);
}
