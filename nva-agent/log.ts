// The agent's log: JSON lines, each kind of line rate-limited so that a flapping peer cannot fill a disk.
import pino from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  /** `key` names the kind of line for the rate limit; the message by default. */
  readonly debug: (message: string, fields?: LogFields) => void;
  readonly info: (message: string, fields?: LogFields) => void;
  readonly warn: (message: string, fields?: LogFields) => void;
  readonly error: (message: string, fields?: LogFields) => void;
}

/** Lines of one kind that pass per window; what follows is counted and told with the window's first line after it. */
export const LINES_PER_WINDOW = 20;
export const WINDOW_MS = 60_000;
/** Kinds of lines remembered: messages are constants of this program, so this is never reached. */
const KINDS_MAX = 1000;

/** Where lines go; tests collect them. */
export interface LogSink {
  readonly write: (line: string) => void;
}

export function createLog(level: LogLevel, nva: string, nowMs: () => number, sink?: LogSink): Log {
  const options = { level, base: { nva }, timestamp: pino.stdTimeFunctions.isoTime };
  const logger = sink === undefined ? pino(options) : pino(options, sink);
  const kinds = new Map<string, { sinceMs: number; count: number }>();
  const admit = (message: string): number | undefined => {
    const now = nowMs();
    const kind = kinds.get(message);
    if (kind === undefined || now - kind.sinceMs >= WINDOW_MS) {
      if (kinds.size >= KINDS_MAX) kinds.clear();
      kinds.set(message, { sinceMs: now, count: 1 });
      return kind === undefined ? 0 : Math.max(0, kind.count - LINES_PER_WINDOW);
    }
    kind.count += 1;
    return kind.count <= LINES_PER_WINDOW ? 0 : undefined;
  };
  const at =
    (severity: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: LogFields = {}) => {
      if (!logger.isLevelEnabled(severity)) return;
      const suppressed = admit(message);
      if (suppressed !== undefined) logger[severity](suppressed > 0 ? { ...fields, suppressed } : fields, message);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
