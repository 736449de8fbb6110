// What each exit code of anycastctl means. Documented per verb in `anycastctl help`; scripts rely on them.

export const EXIT = {
  done: 0,
  error: 1,
  usage: 2,
  declined: 3,
  signIn: 4,
  refused: 5,
  notProved: 6,
  findings: 7,
  pending: 8,
  noSeat: 9,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a verb with a code and a message in up to three parts: what, why, what next. */
export class CliError extends Error {
  readonly code: ExitCode;
  readonly why: readonly string[];
  readonly next: readonly string[];

  constructor(
    code: ExitCode,
    what: string,
    more: { why?: readonly string[]; next?: readonly string[]; cause?: unknown } = {},
  ) {
    super(what, { cause: more.cause });
    this.name = 'CliError';
    this.code = code;
    this.why = more.why ?? [];
    this.next = more.next ?? [];
  }
}
