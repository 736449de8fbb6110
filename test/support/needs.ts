// Suites that need system packages or root: run when they are there (a failed test once more), skipped by name locally,
// failing under CI.
import { describe, jest, test } from '@jest/globals';
import { missing, type Needs } from './programs.ts';

/**
 * `describe`, but only where the needs are met. Under CI an unmet need is a failure, not a skip. Real daemons and the
 * kernel share the machine with all else that runs: a test's first failure is printed and it runs once more, its second
 * stands.
 */
export function describeWith(needs: Needs, name: string, body: () => void): void {
  jest.retryTimes(1, { logErrorsBeforeRetry: true });
  const absent = missing(needs);
  if (absent.length === 0) {
    describe(name, body);
    return;
  }
  const reason = `${name}: needs ${absent.join(', ')}`;
  if (process.env.CI) {
    test(reason, () => {
      throw new Error(`${absent.join(', ')} missing under CI`);
    });
    return;
  }
  const skipped = describe.skip;
  skipped(reason, body);
}
