// A client behind the BGP peer: asks where the peer's route leads, and notes how long it goes without an answer.
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';

const ASK_EVERY_MS = 10;
const ASK_TIMEOUT_MS = 1000;
/** The slowest contender needs some seconds. */
const OUTAGE_MS_MAX = 60_000;

/**
 * Outage of a fault in milliseconds: from the last answer before it to the first answer after it; 0 when no request
 * failed. The client asks this application while `isOnPath`, and otherwise another region, which always answers.
 * `act` makes the fault and resolves when the peer's route has moved. Rejects when nobody answered for a minute.
 */
export async function measureOutage(
  port: number,
  isOnPath: () => boolean,
  act: () => Promise<unknown>,
): Promise<number> {
  const other = createServer((_request, response) => response.end('ok'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const otherPort = (other.address() as AddressInfo).port;
  const ask = () => isAnswered(isOnPath() ? port : otherPort);
  try {
    await ask();
    let isMoved = false;
    const acted = act().then(() => {
      isMoved = true;
    });
    const outageMs = await watch(ask, () => isMoved);
    await acted;
    return outageMs;
  } finally {
    other.closeAllConnections();
    other.close();
  }
}

async function watch(ask: () => Promise<boolean>, isMoved: () => boolean): Promise<number> {
  const startedMs = performance.now();
  let answeredMs = startedMs;
  let outageMs = 0;
  for (let failures = 0; ; ) {
    const isLast = isMoved();
    if (await ask()) {
      const nowMs = performance.now();
      if (failures > 0) outageMs = Math.max(outageMs, nowMs - answeredMs);
      if (isLast) return outageMs;
      answeredMs = nowMs;
      failures = 0;
    } else failures += 1;
    if (performance.now() - startedMs > OUTAGE_MS_MAX) throw new Error(`no answer within ${OUTAGE_MS_MAX} ms`);
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
}

const isAnswered = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const asking = get({ host: '127.0.0.1', port, agent: false, timeout: ASK_TIMEOUT_MS }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode === 200));
    });
    asking.on('timeout', () => asking.destroy());
    asking.on('error', () => resolve(false));
  });
