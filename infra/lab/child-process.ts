// The child's side of the lab's channel: says ready, and ends when the lab is gone.
import { flushCompileCache } from 'node:module';

/** Calls `stop` once on SIGTERM, and exits at once when the channel to the lab closes. */
export function endWithLab(stop: () => Promise<void>): void {
  let isStopping = false;
  process.once('disconnect', () => process.exit(0));
  process.on('SIGTERM', () => {
    if (isStopping) return;
    isStopping = true;
    void stop().finally(() => process.exit(0));
  });
  // Ctrl-C reaches the whole group; the lab ends its children in order.
  process.on('SIGINT', () => undefined);
}

/** Tells the lab that this process does its work. */
export function sayReady(facts: Readonly<Record<string, unknown>> = {}): void {
  process.send?.({ type: 'ready', ...facts });
  // The next run starts from compiled code: less memory, less time.
  flushCompileCache();
}
