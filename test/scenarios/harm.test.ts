// Each guard has a scenario that shows the harm without it. SCENARIOS_REWRITE=1 writes the traces anew; read the
// difference before it is kept.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { GUARDS } from '../../functions/engine/reasons.ts';
import { runHarm } from '../support/harm.ts';

describe('without the guard there is harm', () => {
  test.each(GUARDS)(
    '%s',
    async (guard) => {
      const file = join(import.meta.dirname, 'harm', `${guard}.txt`);
      expect(existsSync(file)).toBe(true);
      const text = readFileSync(file, 'utf8');
      const harm = await runHarm(guard, text);
      if (process.env.SCENARIOS_REWRITE !== undefined) writeFileSync(file, harm.text);
      else expect(harm.text).toBe(text);
      expect(harm.without).toBeGreaterThan(harm.withGuard);
    },
    120_000,
  );
});
