// Which traces of an earlier run, killed before it could clean up, are safe to remove. Knows names and process ids only.

const RUN_NAME = /^afo(\d{1,10})(?:-.+)?$/;

/** What this run's namespaces and files begin with: it says whose they are. */
export const runPrefix = (pid: number): string => `afo${pid}`;

/** Names of namespaces or run directories whose process is gone. Names of any other form are not ours and stay. */
export function findLeftovers(names: readonly string[], isAlive: (pid: number) => boolean): string[] {
  return names.filter((name) => {
    const pid = RUN_NAME.exec(name)?.[1];
    return pid !== undefined && !isAlive(Number(pid));
  });
}
