// One question asked again and again: at its period while answered, ever slower while not, and not at all while hidden.
import { useEffect, useState } from 'preact/hooks';
import type { ProblemDocument } from '../../../shared/errors.ts';
import type { Answer } from './control-plane.ts';

/** The last good answer stays, with its age, whatever happens after it. */
export interface Feed<T> {
  readonly value: T | undefined;
  /** When the value came, on this machine's monotonic clock. */
  readonly atMs: number;
  readonly problem: ProblemDocument | undefined;
}

export const NOTHING: Feed<never> = { value: undefined, atMs: 0, problem: undefined };
const BACK_OFF_MS_MAX = 30_000;

export const nextDelay = (periodMs: number, failures: number): number =>
  Math.min(BACK_OFF_MS_MAX, periodMs * 2 ** Math.min(failures, 6));

/** Starts asking at once. Another `key` begins with an empty feed; another `nudge` asks again at once. */
export function useFeed<T>(
  key: string,
  periodMs: number,
  ask: (previous: T | undefined) => Promise<Answer<T>>,
  nudge = '',
): Feed<T> {
  const [kept, setKept] = useState<{ readonly key: string; readonly feed: Feed<T> }>({ key, feed: NOTHING });
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let failures = 0;
    let feed: Feed<T> = kept.key === key ? kept.feed : NOTHING;
    let isLooking = false;
    const look = async (): Promise<void> => {
      isLooking = true;
      const answer = await ask(feed.value);
      isLooking = false;
      if (isOver) return;
      failures = answer.ok ? 0 : failures + 1;
      feed = answer.ok
        ? { value: answer.value, atMs: performance.now(), problem: undefined }
        : { ...feed, problem: answer.problem };
      setKept({ key, feed });
      if (!document.hidden) timer = setTimeout(look, nextDelay(periodMs, failures));
    };
    const onVisible = (): void => {
      if (document.hidden || isLooking) return;
      clearTimeout(timer);
      timer = setTimeout(look, 0);
    };
    document.addEventListener('visibilitychange', onVisible);
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
    };
    // A new function with the same key asks the same thing.
  }, [key, periodMs, nudge]);
  return kept.key === key ? kept.feed : NOTHING;
}

/** Draws again every second, for ages. */
export function useNow(): number {
  const [nowMs, setNowMs] = useState(performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(performance.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}
