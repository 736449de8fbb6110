// What the declaration of a verb gets from the program around it, and the option parsers all verbs share.
import { type Command, InvalidArgumentError } from 'commander';
import type { ExitCode } from '../exit-codes.ts';
import type { Session } from '../session.ts';
import type { Terminal } from '../terminal.ts';
import { parseDuration } from '../text.ts';

export interface GlobalFlags {
  readonly context?: string;
  readonly url?: string;
  readonly audience?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly debug?: boolean;
}

export interface Shell {
  readonly program: Command;
  /** Resolves the context; throws CliError when it is no good. */
  readonly session: () => Session;
  /** For verbs that talk to nobody. */
  readonly terminal: () => Terminal;
  readonly flags: () => GlobalFlags;
  /** Receives the exit code of the verb that ran. */
  readonly done: (code: ExitCode) => void;
}

export const verb = ({ program }: Shell, name: string, description: string): Command =>
  program.command(name).description(description);

/** `90`, `90s`, `10m`, `2h`, `1d` as seconds. */
export function seconds(text: string): number {
  const value = parseDuration(text);
  if (value === undefined) throw new InvalidArgumentError('a duration such as 90, 90s, 10m, 2h or 1d');
  return value;
}

/** A time with its zone, as epoch ms: a time without one means something else to each reader. */
export function moment(text: string): number {
  const value = /(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(value)) throw new InvalidArgumentError('a time with its zone, such as 2026-03-14T22:30:00+01:00');
  return value;
}

export function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0');
  return value;
}

export const collect = (value: string, all: string[]): string[] => [...all, value];
