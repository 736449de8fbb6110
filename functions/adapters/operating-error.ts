// Turns what SDKs and sockets throw into OperatingError, in one place.
import { OperatingError } from '../../shared/errors.ts';

interface SdkFailure {
  readonly statusCode?: number;
  readonly code?: string;
  readonly message?: string;
}

export const statusOf = (error: unknown): number | undefined => (error as SdkFailure | undefined)?.statusCode;

/** Runs it; whatever it throws comes out as an OperatingError named after what was being done. */
export async function operating<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw toOperatingError(what, error);
  }
}

export function toOperatingError(what: string, error: unknown): OperatingError {
  if (error instanceof OperatingError) return error;
  const { statusCode, code, message } = (error ?? {}) as SdkFailure;
  const isRetryable = statusCode === undefined || statusCode === 408 || statusCode === 429 || statusCode >= 500;
  const said = [statusCode, code, message?.split('\n')[0]].filter((part) => part !== undefined).join(' ');
  return new OperatingError(what, `${what}: ${said}`.slice(0, 500), { retryable: isRetryable, cause: error });
}
