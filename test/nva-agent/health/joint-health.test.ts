// Several probes of one vip: all, any, at least n; each with its own window; what is told of it.
import { describe, expect, test } from '@jest/globals';
import { type JointHealth, type JointRule, newJointHealth, stepJoint } from '../../../nva-agent/health/joint-health.ts';
import { RULE } from './probe-world.ts';

const ruleOf = (required: number, count = 3): JointRule => ({
  rules: Array.from({ length: count }, () => RULE),
  names: ['http', 'tcp', 'dns'].slice(0, count),
  required,
});

type Answer = 'pass' | 'fail' | 'unknown';
const outcomeOf = (answer: Answer) =>
  answer === 'unknown'
    ? { type: answer, detail: 'our own failure: EMFILE' }
    : { type: answer, latencyMs: 7, detail: 'connection refused' };

/** Each probe answers `times` times. */
function hear(rule: JointRule, before: JointHealth, answers: readonly Answer[], times: number, nowMs = 0): JointHealth {
  let health = before;
  for (let round = 0; round < times; round += 1) {
    answers.forEach((answer, probe) => {
      health = stepJoint(health, rule, { type: 'probed', outcome: outcomeOf(answer) }, probe, nowMs + round);
    });
  }
  return health;
}

const played = (required: number, ...answers: Answer[]) => {
  const rule = ruleOf(required, answers.length);
  return hear(rule, newJointHealth(answers.length, 0, 0), answers, 10).whole;
};

describe('how many must be well', () => {
  test.each([
    ['all', 3, ['pass', 'pass', 'pass'], 'up', 'healthy'],
    ['all, one fails', 3, ['pass', 'fail', 'pass'], 'down', 'unhealthy'],
    ['any, one passes', 1, ['fail', 'pass', 'fail'], 'up', 'healthy'],
    ['any, none passes', 1, ['fail', 'fail', 'fail'], 'down', 'unhealthy'],
    ['two of three', 2, ['pass', 'fail', 'pass'], 'up', 'healthy'],
    ['two of three, one passes', 2, ['fail', 'fail', 'pass'], 'down', 'unhealthy'],
    ['all, one tells nothing', 3, ['pass', 'unknown', 'pass'], 'unborn', 'unknown'],
    ['all, one tells nothing and one fails', 3, ['pass', 'unknown', 'fail'], 'down', 'unhealthy'],
    ['any, one passes and one tells nothing', 1, ['pass', 'unknown'], 'up', 'healthy'],
    ['any, one fails and one tells nothing', 1, ['fail', 'unknown'], 'unborn', 'unknown'],
  ] as const)('%s', (_name, required, answers, standing, verdict) => {
    expect(played(required, ...answers)).toMatchObject({ standing, verdict });
  });

  test('one probe alone is the vip itself', () => {
    const { whole, parts } = hear(ruleOf(1, 1), newJointHealth(1, 0, 0), ['pass'], 5);
    expect(whole).toBe(parts[0]);
  });
});

describe('each has a window of its own', () => {
  test('two probes that fail by turns, each far from falling, do not fall together', () => {
    const rule = ruleOf(2, 2);
    let health = hear(rule, newJointHealth(2, 0, 0), ['pass', 'pass'], 10);
    // One window of five over both would see three failures.
    health = hear(rule, health, ['fail', 'pass'], 2);
    health = hear(rule, health, ['pass', 'fail'], 2);
    expect(health.whole).toMatchObject({ standing: 'up' });
    expect(health.parts.map((part) => part.window.decided.slice(-4))).toEqual(['0011', '1100']);
  });

  test('the fall and the way back say which probe it is, and the verdict begins when it changed', () => {
    const rule = ruleOf(2, 2);
    const up = hear(rule, newJointHealth(2, 0, 0), ['pass', 'pass'], 10);
    expect(up.whole.detail).toBeUndefined();
    const down = hear(rule, up, ['pass', 'fail'], 10, 1000);
    expect(down.whole).toMatchObject({
      verdict: 'unhealthy',
      detail: '1 of 2 probes up, 2 must be; tcp: connection refused',
      wasUp: true,
    });
    expect(down.whole.sinceMs).toBeGreaterThanOrEqual(1000);
    const back = hear(rule, down, ['pass', 'pass'], 10, 2000);
    expect(back.whole).toMatchObject({ standing: 'up', verdict: 'healthy' });
    // The fall is remembered: the next way back may be delayed.
    expect(back.whole.penalty.value).toBeGreaterThan(0);
  });

  test('a tick starts the probes that are due, and only those', () => {
    const rule = ruleOf(2, 2);
    const first = stepJoint(newJointHealth(2, 0, 0), rule, { type: 'tick' }, 0, 0);
    expect(first.probes).toEqual([1, 1]);
    expect(stepJoint(first, rule, { type: 'tick' }, 0, 1).probes).toEqual([0, 0]);
    expect(first.whole.nextProbeMs).toBe(RULE.intervalMs);
  });
});
