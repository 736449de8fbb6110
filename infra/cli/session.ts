// What every verb gets: the client, the terminal and the flags that mean the same everywhere.
import type { ControlPlaneClient } from './client.ts';
import type { Terminal } from './terminal.ts';

export interface Session {
  readonly client: ControlPlaneClient;
  readonly terminal: Terminal;
  readonly json: boolean;
}

/** Prints one JSON document: the whole answer of a verb under --json. */
export function printJson(session: Session, value: unknown): void {
  session.terminal.print(JSON.stringify(value, null, session.terminal.isInteractive ? 2 : 0));
}
