// Properties draw the same examples in every run; FC_SEED=random, or a number that a failure printed, draws others.
import fc from 'fast-check';

const seed = process.env.FC_SEED ?? '1';
if (seed !== 'random') {
  if (!Number.isSafeInteger(Number(seed))) throw new Error(`FC_SEED is a whole number or 'random', not '${seed}'`);
  fc.configureGlobal({ seed: Number(seed) });
}
