// One look of a group at a time in a process: whoever asks while one is made shares the next, which sees all that is new.
import { setTimeout as pause } from 'node:timers/promises';
import type { DecideInput, DecideResult } from './activities/names.ts';
import { LOOK_WAIT_MS } from './limits.ts';

type MakeLook = (input: DecideInput) => Promise<DecideResult>;

interface Lane {
  running: Promise<unknown> | undefined;
  next: Promise<DecideResult> | undefined;
}

/**
 * Looks beside each other read the same, disturb each other's commits and come to the same end. It saves work and is not
 * relied upon: another process may look at the same time. A look that takes longer than `waitMs` (a webhook is asked, a
 * store hangs) holds nobody up; one that carries a wish waits for nobody.
 */
export function shareLooks(look: MakeLook, waitMs = LOOK_WAIT_MS): MakeLook {
  const lanes = new Map<string, Lane>();

  const make = (lane: Lane, input: DecideInput): Promise<DecideResult> => {
    const made = look(input);
    const over = () => {
      if (lane.running === made) lane.running = undefined;
    };
    made.then(over, over);
    lane.running = made;
    return made;
  };

  return (input) => {
    if (input.wish !== undefined) return look(input);
    const lane = lanes.get(input.group) ?? { running: undefined, next: undefined };
    lanes.set(input.group, lane);
    if (lane.next !== undefined) return lane.next.then(asSharer);
    if (lane.running === undefined) return make(lane, input);
    lane.next = overWithin(lane.running, waitMs).then(() => {
      lane.next = undefined;
      return make(lane, input);
    });
    return lane.next;
  };
}

/** Resolves when it is over, well or badly, or the time is. */
async function overWithin(running: Promise<unknown>, waitMs: number): Promise<void> {
  const timing = new AbortController();
  const over = running.then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([over, pause(waitMs, undefined, { signal: timing.signal }).catch(() => undefined)]);
  timing.abort();
}

/** Whoever asked first carries out what was decided; should it die, the next look finds who is behind. */
function asSharer(result: DecideResult): DecideResult {
  if (!result.ok) return result;
  const { drills: _drills, ...rest } = result;
  return { ...rest, isCommitted: false, deliver: [], proofs: [] };
}
