// The two errors that cross a border: one of operation (thrown by adapters), one for HTTP callers (RFC 9457).

/** Something outside failed: a timeout, a refusal, a throttle. Thrown by adapters only, retried in one place only. */
export class OperatingError extends Error {
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'OperatingError';
    this.code = code;
    this.retryable = options.retryable;
  }
}

/** RFC 9457 problem document. `code` is stable for programs, `detail` is for people, `next` says what to do. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly code: string;
  readonly next?: string;
  readonly errors?: readonly { readonly path: string; readonly code: string; readonly message: string }[];
  readonly [extension: string]: unknown;
}

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** Builds a problem document; `code` doubles as the last part of its type URI. */
export function problem(
  status: number,
  code: string,
  title: string,
  more: { detail?: string; next?: string; [extension: string]: unknown } = {},
): ProblemDocument {
  return { type: `urn:anycast-failover:problem:${code}`, title, status, code, ...more };
}
