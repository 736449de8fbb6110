// What an observer makes of its looks.
import { describe, expect, test } from '@jest/globals';
import {
  LOSS_LOOKS_MAX,
  type Look,
  lossOf,
  newObservation,
  nextPeriod,
  type Observation,
  observe,
  reportRow,
} from '../../nva-agent/observation.ts';

const by = (region: string | null): Look => ({ type: 'answered', region, connectMs: 1, firstByteMs: 2 });
const FAILED: Look = { type: 'failed' };
const NOTHING: Look = { type: 'nothing' };

/** Looks in turn, 100 ms apart from 1000 ms on. */
function play(...looks: readonly Look[]): { seen: Observation; transitions: number[] } {
  const transitions: number[] = [];
  let seen = newObservation(900);
  for (const [i, look] of looks.entries()) {
    const stepped = observe(seen, look, 1000 + i * 100);
    seen = stepped.seen;
    if (stepped.isTransition) transitions.push(i);
  }
  return { seen, transitions };
}

describe('an observation', () => {
  test('knows nothing before the first look', () => {
    expect(reportRow('orders', newObservation(900), 5000)).toEqual({
      vip: 'orders',
      answeredBy: null,
      sinceMs: null,
      requests: 0,
      failures: 0,
      connectMs: null,
      firstByteMs: null,
      outageMs: 0,
    });
  });

  test.each<[string, Look[], number[], object]>([
    ['one region all along', [by('we'), by('we')], [0], { answeredBy: 'we', sinceMs: 1000, requests: 2, outageMs: 0 }],
    ['another region answers', [by('we'), by('ne')], [0, 1], { answeredBy: 'ne', sinceMs: 1100 }],
    [
      'nobody answers for a while',
      [by('we'), FAILED, FAILED, by('we')],
      [0, 1, 3],
      { failures: 2, requests: 4, sinceMs: 1300, outageMs: 300 },
    ],
    ['nobody answers still: counted up to now', [by('we'), FAILED], [0, 1], { answeredBy: 'we', outageMs: 9000 }],
    ['nobody ever answered', [FAILED, FAILED], [0], { answeredBy: null, sinceMs: null, outageMs: 9100 }],
    [
      'the longest of two outages',
      [by('we'), FAILED, FAILED, by('we'), FAILED, by('we')],
      [0, 1, 3, 4, 5],
      { outageMs: 300 },
    ],
    ['an answer that names no region', [by(null)], [0], { answeredBy: null, sinceMs: 1000 }],
    ['our own failure is no look', [by('we'), NOTHING], [0], { requests: 1, failures: 0, outageMs: 0 }],
  ])('%s', (_name, looks, transitions, row) => {
    const played = play(...looks);
    expect(played.transitions).toEqual(transitions);
    expect(reportRow('orders', played.seen, 10_000)).toMatchObject(row);
  });

  test('loss is counted over the newest looks, across periods; our own failures are no looks', () => {
    expect(lossOf(newObservation(0))).toBeUndefined();
    const { seen } = play(by('we'), FAILED, NOTHING, by('we'), by('we'));
    expect(reportRow('orders', nextPeriod(seen), 2000)).toMatchObject({ requests: 0, loss: { share: 0.25, looks: 4 } });
    const filled = play(FAILED, FAILED, ...new Array<Look>(LOSS_LOOKS_MAX - 1).fill(by('we')));
    expect(lossOf(filled.seen)).toEqual({ share: 1 / LOSS_LOOKS_MAX, looks: LOSS_LOOKS_MAX });
    expect(lossOf(play(FAILED).seen)).toEqual({ share: 1, looks: 1 });
  });

  test('a new period forgets the counts, not who answers nor an outage that goes on', () => {
    const { seen } = play(by('we'), FAILED);
    expect(reportRow('orders', nextPeriod(seen), 2000)).toMatchObject({
      answeredBy: 'we',
      requests: 0,
      failures: 0,
      outageMs: 1000,
    });
  });
});
