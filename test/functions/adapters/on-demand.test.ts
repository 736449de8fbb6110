// An adapter that is loaded with its first call.
import { expect, test } from '@jest/globals';
import { onDemand } from '../../../functions/adapters/on-demand.ts';

interface Doubler {
  double(value: number): Promise<number>;
  name(): Promise<string>;
}

test('is made once, with the first call of any method', async () => {
  let made = 0;
  const port = onDemand<Doubler>(['double', 'name'], async () => {
    made += 1;
    return { double: async (value) => value * 2, name: async () => 'doubler' };
  });
  expect(made).toBe(0);
  expect(await Promise.all([port.double(2), port.double(3), port.name()])).toEqual([4, 6, 'doubler']);
  expect(made).toBe(1);
});

test('that cannot be loaded fails the call, and is tried anew by the next', async () => {
  let tries = 0;
  const port = onDemand<Pick<Doubler, 'name'>>(['name'], async () => {
    tries += 1;
    if (tries === 1) throw new Error('no such file');
    return { name: async () => 'there' };
  });
  await expect(port.name()).rejects.toThrow('no such file');
  expect(await port.name()).toBe('there');
});
