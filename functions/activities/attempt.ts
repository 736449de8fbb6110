// Activities answer with a value whatever happens outside; only a mistake of our own throws.
import { OperatingError } from '../../shared/errors.ts';
import type { Failed } from './names.ts';

export async function attempt<T>(run: () => Promise<T>): Promise<T | Failed> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    return { ok: false, code: error.code, detail: error.message.slice(0, 500) };
  }
}
