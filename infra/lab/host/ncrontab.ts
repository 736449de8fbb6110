// NCRONTAB expressions: six fields, second to day of week, in UTC. Text in, times out; no clock.

/** The values that each field allows. */
export interface NcrontabSchedule {
  readonly seconds: ReadonlySet<number>;
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
}

export type NcrontabResult =
  | { readonly type: 'schedule'; readonly schedule: NcrontabSchedule }
  | { readonly type: 'invalid'; readonly problems: readonly string[] };

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Field {
  readonly name: keyof NcrontabSchedule;
  readonly min: number;
  readonly max: number;
  /** Names that may stand for numbers, the first for min. */
  readonly names: readonly string[];
}

const FIELDS: readonly Field[] = [
  { name: 'seconds', min: 0, max: 59, names: [] },
  { name: 'minutes', min: 0, max: 59, names: [] },
  { name: 'hours', min: 0, max: 23, names: [] },
  { name: 'days', min: 1, max: 31, names: [] },
  { name: 'months', min: 1, max: 12, names: MONTHS },
  { name: 'weekdays', min: 0, max: 6, names: WEEKDAYS },
];

/** Parses '{second} {minute} {hour} {day} {month} {day of week}'; reports every field that is wrong. */
export function parseNcrontab(expression: string): NcrontabResult {
  const words = expression.trim().split(/\s+/);
  if (words.length !== FIELDS.length) {
    return { type: 'invalid', problems: [`expected six fields, found ${words.length}: '${expression}'`] };
  }
  const problems: string[] = [];
  const values = FIELDS.map((field, index) => {
    const parsed = parseField(field, words[index] ?? '');
    if (typeof parsed !== 'string') return [field.name, parsed] as const;
    problems.push(`${field.name}: ${parsed}`);
    return [field.name, new Set<number>()] as const;
  });
  if (problems.length > 0) return { type: 'invalid', problems };
  return { type: 'schedule', schedule: Object.fromEntries(values) as unknown as NcrontabSchedule };
}

/** A list of '*', values, ranges a-b, each with an optional step; the set of values, or the problem. */
function parseField(field: Field, text: string): Set<number> | string {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(?:(\*)|([a-z0-9]+)(?:-([a-z0-9]+))?)(?:\/(\d+))?$/i.exec(part);
    if (!match) return `'${part}' is not a value, a range or a step`;
    const [, star, first, last, stepText] = match;
    const from = star ? field.min : toNumber(field, first ?? '');
    // 'a/n' runs from a to the end of the field.
    const to = star || (stepText && !last) ? field.max : toNumber(field, last ?? first ?? '');
    const step = Number(stepText ?? 1);
    if (from === undefined || to === undefined) return `'${part}' is outside ${field.min}-${field.max}`;
    if (from > to || step === 0) return `'${part}' matches nothing`;
    for (let value = from; value <= to; value += step) values.add(value);
  }
  return values;
}

function toNumber(field: Field, text: string): number | undefined {
  const named = field.names.indexOf(text.toLowerCase());
  const value = named >= 0 ? named + field.min : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= field.min && value <= field.max ? value : undefined;
}

/** 29 February can be eight years away (1896 to 1904, 2096 to 2104). */
const SEARCH_DAYS_MAX = 366 * 8 + 2;
const DAY_MS = 86_400_000;

/**
 * The first time strictly after the given one, in epoch ms; undefined when there is none (30 February). As in
 * NCrontab a day must match both day fields.
 */
export function nextOccurrenceMs(schedule: NcrontabSchedule, afterMs: number): number | undefined {
  const startMs = Math.floor(afterMs / 1000) * 1000 + 1000;
  const startDayMs = Math.floor(startMs / DAY_MS) * DAY_MS;
  for (let day = 0; day <= SEARCH_DAYS_MAX; day++) {
    const dayMs = startDayMs + day * DAY_MS;
    if (!matchesDay(schedule, new Date(dayMs))) continue;
    const timeMs = firstTimeOfDayMs(schedule, Math.max(startMs - dayMs, 0));
    if (timeMs !== undefined) return dayMs + timeMs;
  }
  return undefined;
}

function matchesDay(schedule: NcrontabSchedule, date: Date): boolean {
  return (
    schedule.months.has(date.getUTCMonth() + 1) &&
    schedule.days.has(date.getUTCDate()) &&
    schedule.weekdays.has(date.getUTCDay())
  );
}

/** The first matching time of day at or after the given one, in ms since midnight. */
function firstTimeOfDayMs(schedule: NcrontabSchedule, fromMs: number): number | undefined {
  const fromSeconds = Math.ceil(fromMs / 1000);
  const fromHour = Math.floor(fromSeconds / 3600);
  for (let hour = fromHour; hour < 24; hour++) {
    if (!schedule.hours.has(hour)) continue;
    const hourStart = hour * 3600;
    for (let minute = hour === fromHour ? Math.floor((fromSeconds - hourStart) / 60) : 0; minute < 60; minute++) {
      if (!schedule.minutes.has(minute)) continue;
      const minuteStart = hourStart + minute * 60;
      for (let second = Math.max(fromSeconds - minuteStart, 0); second < 60; second++) {
        if (schedule.seconds.has(second)) return (minuteStart + second) * 1000;
      }
    }
  }
  return undefined;
}
