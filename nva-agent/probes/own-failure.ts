// Tells failures of our own making from failures of the application: the former say nothing about its health.

/** Out of descriptors, addresses, buffers or memory; no permission; no route of our own; no resolver. */
const OWN_FAILURES: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EAGAIN',
  'EADDRNOTAVAIL',
  'EADDRINUSE',
  'EACCES',
  'EPERM',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
  'EAI_MEMORY',
  'EAI_FAIL',
  'ENOTFOUND',
]);

/** The code of an error, or its message where it has none. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'message' in error ? String(error.message) : String(error);
}

export const isOwnFailure = (error: unknown): boolean => OWN_FAILURES.has(codeOf(error));
