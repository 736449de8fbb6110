// Waits for a condition of the lab with a deadline: nothing in the lab sleeps and hopes.
import { OperatingError } from '../../../shared/errors.ts';

const INTERVAL_MS = 20;

export const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Asks until the answer is neither undefined nor false, and returns it. Throws OperatingError `deadline` with `what`
 * once the time is over. A check that throws counts as "not yet", unless its error says that trying again is useless.
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  intervalMs = INTERVAL_MS,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  let cause: unknown;
  do {
    try {
      const answer = await check();
      if (answer !== undefined && answer !== false) return answer;
      cause = undefined;
    } catch (error) {
      if (error instanceof OperatingError && !error.retryable) throw error;
      cause = error;
    }
    await delay(intervalMs);
  } while (performance.now() < deadlineMs);
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  throw new OperatingError('deadline', `not within ${timeoutMs / 1000} s: ${what}${why}`, { retryable: false, cause });
}
