// A short soak: some hundred health transitions over real sockets leave nothing behind. The long one: bench --only soak.
import { expect, test } from '@jest/globals';
import { soak } from '../bench/soak.ts';

const HEAP_GROWTH_BYTES_MAX = 5_000_000;
/** Connections to seats and to the application come and go; one kept by every tenth of 200 transitions would be 20. */
const GROWTH_MAX = 6;

test('two hundred health transitions keep no socket, no timer and little memory', async () => {
  const { socketGrowth, timerGrowth, heapGrowthBytes } = await soak(200);
  expect(socketGrowth).toBeLessThanOrEqual(GROWTH_MAX);
  expect(timerGrowth).toBeLessThanOrEqual(GROWTH_MAX);
  expect(heapGrowthBytes).toBeLessThan(HEAP_GROWTH_BYTES_MAX);
}, 60_000);
