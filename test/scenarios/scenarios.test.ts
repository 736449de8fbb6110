// Runs every scenario file beside it. SCENARIOS_REWRITE=1 writes the traces anew; then read the difference.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { runScenario } from '../support/scenario.ts';

const folder = import.meta.dirname;
const files = readdirSync(folder).filter((file) => file.endsWith('.txt'));

describe('scenario', () => {
  test('files are found', () => expect(files.length).toBeGreaterThanOrEqual(15));

  test.each(files)('%s', (file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const now = runScenario(text);
    if (process.env.SCENARIOS_REWRITE !== undefined) writeFileSync(join(folder, file), now);
    else expect(now).toBe(text);
  });
});
