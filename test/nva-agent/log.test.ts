// The log: form and rate limit.
import { describe, expect, test } from '@jest/globals';
import { createLog, LINES_PER_WINDOW, WINDOW_MS } from '../../nva-agent/log.ts';

function collect(level: 'info' | 'silent' = 'info') {
  const lines: Record<string, unknown>[] = [];
  let nowMs = 0;
  const log = createLog(level, 'we-nva-1', () => nowMs, { write: (line) => lines.push(JSON.parse(line)) });
  return { log, lines, wait: (ms: number) => (nowMs += ms) };
}

describe('the log', () => {
  test('writes JSON lines with the NVA and the fields', () => {
    const { log, lines } = collect();
    log.warn('session', { peer: '10.1.0.4' });
    log.debug('not at this level');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ nva: 'we-nva-1', msg: 'session', peer: '10.1.0.4' });
  });

  test('lets so many lines of one kind through per window, and then says how many it held back', () => {
    const { log, lines, wait } = collect();
    for (let i = 0; i < LINES_PER_WINDOW + 100; i += 1) log.warn('connection failed', { i });
    log.warn('another kind');
    expect(lines).toHaveLength(LINES_PER_WINDOW + 1);
    wait(WINDOW_MS);
    log.warn('connection failed');
    expect(lines.at(-1)).toMatchObject({ msg: 'connection failed', suppressed: 100 });
  });

  test('can be silent', () => {
    const { log, lines } = collect('silent');
    log.error('nobody hears this');
    expect(lines).toEqual([]);
  });
});
