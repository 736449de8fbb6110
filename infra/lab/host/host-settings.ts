// What the host takes from host.json: concurrency, versions, route prefix, limits.
import { availableParallelism } from 'node:os';
import { z } from 'zod';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A .NET TimeSpan, [d.]hh:mm:ss; -1 means without limit, which we make a day. */
function timeSpanMs(text: string): number | undefined {
  if (text === '-1') return 24 * HOUR_MS;
  const match = /^(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})$/.exec(text);
  if (!match) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return days * 24 * HOUR_MS + hours * HOUR_MS + minutes * MINUTE_MS + seconds * 1000;
}

const concurrency = z.number().int().min(1).max(10_000).nullish();

const hostJson = z.looseObject({
  version: z.literal('2.0'),
  functionTimeout: z
    .string()
    .refine((text) => timeSpanMs(text) !== undefined, 'not a time span (hh:mm:ss)')
    .optional(),
  extensions: z
    .looseObject({
      http: z.looseObject({ routePrefix: z.string().optional() }).optional(),
      durableTask: z
        .looseObject({
          hubName: z.string().optional(),
          maxConcurrentActivityFunctions: concurrency,
          maxConcurrentOrchestratorFunctions: concurrency,
          maxConcurrentEntityFunctions: concurrency,
          defaultVersion: z.string().optional(),
          versionMatchStrategy: z.enum(['None', 'Strict', 'CurrentOrOlder']).optional(),
          versionFailureStrategy: z.enum(['Reject', 'Fail']).optional(),
        })
        .optional(),
    })
    .optional(),
});

export interface HostSettings {
  readonly hubName: string;
  readonly routePrefix: string;
  /** functionTimeout; the plans' default is 30 minutes. */
  readonly invocationMsMax: number;
  readonly activitiesMax: number;
  readonly orchestratorsMax: number;
  readonly entitiesMax: number;
  readonly defaultVersion: string;
  readonly versionMatchStrategy: 'None' | 'Strict' | 'CurrentOrOlder';
  readonly versionFailureStrategy: 'Reject' | 'Fail';
}

/** Reads the parsed content of a host.json. Throws with every problem and its path. */
export function parseHostSettings(content: unknown): HostSettings {
  const parsed = hostJson.safeParse(content);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(root)'}: ${issue.message}`);
    throw new Error(`host.json: ${problems.join('; ')}`);
  }
  const { functionTimeout, extensions } = parsed.data;
  const durable = extensions?.durableTask;
  // Ten for each core, the extension's default on dedicated plans.
  const perCore = 10 * availableParallelism();
  return {
    hubName: durable?.hubName ?? 'LabHub',
    routePrefix: extensions?.http?.routePrefix ?? 'api',
    invocationMsMax: timeSpanMs(functionTimeout ?? '00:30:00') ?? 30 * MINUTE_MS,
    activitiesMax: durable?.maxConcurrentActivityFunctions ?? perCore,
    orchestratorsMax: durable?.maxConcurrentOrchestratorFunctions ?? perCore,
    entitiesMax: durable?.maxConcurrentEntityFunctions ?? perCore,
    defaultVersion: durable?.defaultVersion ?? '',
    versionMatchStrategy: durable?.versionMatchStrategy ?? 'None',
    versionFailureStrategy: durable?.versionFailureStrategy ?? 'Reject',
  };
}

/** Settings of an empty host.json. */
export const DEFAULT_SETTINGS: HostSettings = parseHostSettings({ version: '2.0' });

/**
 * Whether this host may run an instance of the given version, by the rules of the extension: Strict wants the same
 * version, CurrentOrOlder the same or a lower one (dotted numbers by value, otherwise by text).
 */
export function acceptsVersion(settings: HostSettings, version: string): boolean {
  switch (settings.versionMatchStrategy) {
    case 'None':
      return true;
    case 'Strict':
      return version === settings.defaultVersion;
    case 'CurrentOrOlder':
      return compareVersions(version, settings.defaultVersion) <= 0;
  }
}

function compareVersions(a: string, b: string): number {
  if (a === b) return 0;
  const isDotted = (text: string) => /^\d+(\.\d+){0,3}$/.test(text);
  if (!isDotted(a) || !isDotted(b)) return a < b ? -1 : 1;
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < 4; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
