// Shifts the wall clock of this process, as a machine with a wrong clock sees it. The monotonic clock stays right.
// Only processes of the lab that can be told `clock-skew` install it.

/** Replaces the global Date; the returned function sets by how many milliseconds it is off. */
export function installShiftableClock(): (offsetMs: number) => void {
  const RealDate = Date;
  let offset = 0;
  const shiftedNow = () => RealDate.now() + offset;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args: unknown[], newTarget) =>
      Reflect.construct(target, args.length === 0 ? [shiftedNow()] : args, newTarget) as object,
    apply: () => new RealDate(shiftedNow()).toString(),
    get: (target, key, receiver) => (key === 'now' ? shiftedNow : Reflect.get(target, key, receiver)),
  });
  return (offsetMs) => {
    offset = offsetMs;
  };
}

/** The message a process takes for it. */
export interface ClockMessage {
  readonly type: 'clock';
  readonly offsetMs: number;
}

export const isClockMessage = (message: unknown): message is ClockMessage =>
  typeof message === 'object' && message !== null && (message as { type?: unknown }).type === 'clock';
