// Waits for a condition by looking again and again, with a deadline; never for a fixed time.
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves with the first answer that is not undefined, false or null; rejects with `what` after `deadlineMs`. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  deadlineMs = 5000,
  everyMs = 5,
): Promise<NonNullable<Exclude<T, false>>> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const answer = await look();
    if (answer !== undefined && answer !== false && answer !== null) {
      return answer as NonNullable<Exclude<T, false>>;
    }
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(everyMs);
  }
}
