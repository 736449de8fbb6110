// A value that is either right or a list of everything that is wrong with it.

/** One thing wrong with an input: where (a path such as `vips[0].prefix`), what (for people) and a stable code. */
export interface Finding {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

export type Result<T, E = readonly Finding[]> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

export const ok = <T>(value: T): Result<T, never> => ({ ok: true, value });
export const err = <E>(error: E): Result<never, E> => ({ ok: false, error });

/** One line per finding, path first, so that a terminal or a log shows all of them. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings.map((f) => `${f.path === '' ? '(file)' : f.path}: ${f.message} [${f.code}]`).join('\n');
}
