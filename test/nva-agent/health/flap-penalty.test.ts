// The flap penalty: decay, suppression, bounds.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  addPenalty,
  type FlapRule,
  NO_PENALTY,
  penaltyAt,
  settlePenalty,
} from '../../../nva-agent/health/flap-penalty.ts';

const RULE: FlapRule = { perMove: 1000, suppress: 2500, reuse: 750, max: 12_000, halfLifeSeconds: 900 };
const HALF_LIFE_MS = 900_000;

describe('the flap penalty', () => {
  test('halves with every half-life', () => {
    const penalty = addPenalty(NO_PENALTY, RULE, 1000, 5000);
    expect(penaltyAt(penalty, RULE, 5000)).toBe(1000);
    expect(penaltyAt(penalty, RULE, 5000 + HALF_LIFE_MS)).toBe(500);
    expect(penaltyAt(penalty, RULE, 5000 + 2 * HALF_LIFE_MS)).toBe(250);
  });

  test('one crash suppresses nothing, three in a row do until the penalty has decayed below reuse', () => {
    const one = addPenalty(NO_PENALTY, RULE, 1000, 0);
    expect(one.isSuppressed).toBe(false);
    const three = addPenalty(addPenalty(one, RULE, 1000, 1), RULE, 1000, 2);
    expect(three.isSuppressed).toBe(true);
    expect(settlePenalty(three, RULE, 1.9 * HALF_LIFE_MS).isSuppressed).toBe(true);
    expect(settlePenalty(three, RULE, 2.1 * HALF_LIFE_MS).isSuppressed).toBe(false);
  });

  test('never exceeds its maximum, so no application is held back for longer than four half-lives', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5000), { maxLength: 50 }), (amounts) => {
        const penalty = amounts.reduce((sum, amount, i) => addPenalty(sum, RULE, amount, i), NO_PENALTY);
        expect(penalty.value).toBeLessThanOrEqual(RULE.max);
        expect(settlePenalty(penalty, RULE, amounts.length + 4 * HALF_LIFE_MS + 1).isSuppressed).toBe(false);
      }),
    );
  });
});
