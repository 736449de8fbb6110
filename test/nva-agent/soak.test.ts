// A short soak: some hundred health transitions over real sockets leave nothing behind. The long one: bench --only soak.
import { expect, test } from '@jest/globals';
import { soak } from '../bench/soak.ts';

const HEAP_GROWTH_BYTES_MAX = 5_000_000;

test('two hundred health transitions keep no socket, no timer and little memory', async () => {
  const { socketGrowth, timerGrowth, heapGrowthBytes } = await soak(200);
  expect({ sockets: socketGrowth <= 0, timers: timerGrowth <= 0 }).toEqual({ sockets: true, timers: true });
  expect(heapGrowthBytes).toBeLessThan(HEAP_GROWTH_BYTES_MAX);
}, 60_000);
