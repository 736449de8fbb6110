// Route templates of HTTP triggers: parse, order by precedence, match. Pure.

/** One segment of a template: text, or a parameter. */
type Segment =
  | { readonly type: 'literal'; readonly text: string }
  | {
      readonly type: 'parameter';
      readonly name: string;
      readonly isOptional: boolean;
      readonly isCatchAll: boolean;
      readonly constraints: readonly ((value: string) => boolean)[];
    };

export interface Route<T> {
  readonly segments: readonly Segment[];
  /** Upper case. */
  readonly methods: readonly string[];
  readonly target: T;
}

export type RouteMatch<T> =
  | { readonly type: 'found'; readonly target: T; readonly params: Readonly<Record<string, string>> }
  | { readonly type: 'not-found' }
  | { readonly type: 'method-not-allowed'; readonly allowed: readonly string[] };

type Constraint = (argument: string) => (value: string) => boolean;

const within = (minimum: number, maximum: number) => (value: string) =>
  /^-?\d+$/.test(value) && Number(value) >= minimum && Number(value) <= maximum;
const shaped =
  (pattern: RegExp): Constraint =>
  () =>
  (value) =>
    pattern.test(value);

/** Inline route constraints of ASP.NET Core that the Functions host knows. */
const CONSTRAINTS: Readonly<Record<string, Constraint>> = {
  int: () => within(-(2 ** 31), 2 ** 31 - 1),
  long: () => within(-(2 ** 63), 2 ** 63),
  bool: shaped(/^(true|false)$/i),
  guid: shaped(/^\{?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$/i),
  alpha: shaped(/^[a-z]*$/i),
  decimal: shaped(/^-?\d+(\.\d+)?$/),
  double: shaped(/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i),
  float: shaped(/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i),
  datetime: () => (value) => !Number.isNaN(Date.parse(value)),
  required: () => (value) => value !== '',
  min: (argument) => within(Number(argument), Number.MAX_SAFE_INTEGER),
  max: (argument) => within(Number.MIN_SAFE_INTEGER, Number(argument)),
  range: (argument) => within(...(argument.split(',').map(Number) as [number, number])),
  minlength: (argument) => (value) => value.length >= Number(argument),
  maxlength: (argument) => (value) => value.length <= Number(argument),
  length: (argument) => {
    const [minimum = 0, maximum = minimum] = argument.split(',').map(Number);
    return (value) => value.length >= minimum && value.length <= maximum;
  },
  regex: (argument) => {
    // Braces are doubled inside a template.
    const pattern = new RegExp(argument.replaceAll('{{', '{').replaceAll('}}', '}'), 'i');
    return (value) => pattern.test(value);
  },
};

/**
 * Parses a template such as 'orders/{id:int}/{*path}'. Throws on unknown constraints and parameters that share a
 * segment with text, which this host does not know.
 */
export function parseRoute<T>(template: string, methods: readonly string[], target: T): Route<T> {
  const texts = splitSegments(template.replace(/^\/+|\/+$/g, ''));
  const segments = texts.map((text) => parseSegment(template, text));
  return { segments, methods: methods.map((method) => method.toUpperCase()), target };
}

/** Splits at '/' outside of braces, since a constraint may hold one. */
function splitSegments(template: string): string[] {
  const segments = [''];
  let depth = 0;
  for (const character of template) {
    if (character === '{') depth++;
    if (character === '}') depth--;
    if (character === '/' && depth === 0) segments.push('');
    else segments.push(`${segments.pop()}${character}`);
  }
  return segments.filter((text) => text !== '');
}

function parseSegment(template: string, text: string): Segment {
  if (!text.includes('{')) return { type: 'literal', text: text.toLowerCase() };
  const match = /^\{(\*{0,2})([A-Za-z_][\w-]*)((?::[^?]*)?)(\??)\}$/s.exec(text);
  if (!match) throw new Error(`Route '${template}': '${text}' is not a parameter.`);
  const [, stars = '', name = '', constraintText = '', optional] = match;
  return {
    type: 'parameter',
    name,
    isCatchAll: stars !== '',
    isOptional: optional === '?' || stars !== '',
    constraints: parseConstraints(template, constraintText),
  };
}

function parseConstraints(template: string, text: string): ((value: string) => boolean)[] {
  const constraints: ((value: string) => boolean)[] = [];
  for (const [, name = '', argument = ''] of text.matchAll(/:([a-z]+)(?:\((.*?)\)(?=:|$))?/gis)) {
    const constraint = CONSTRAINTS[name.toLowerCase()];
    if (!constraint) throw new Error(`Route '${template}': unknown constraint '${name}'.`);
    constraints.push(constraint(argument));
  }
  return constraints;
}

/**
 * Text goes before constrained parameters, these before others, catch-alls come last (ASP.NET Core route precedence).
 */
function rank(segment: Segment | undefined): number {
  if (segment === undefined) return 0;
  if (segment.type === 'literal') return 1;
  const constrained = segment.constraints.length > 0 ? 0 : 1;
  return segment.isCatchAll ? 4 + constrained : 2 + constrained;
}

/** Orders routes so that the first that matches is the right one; equal ones stay in their order. */
export function sortRoutes<T>(routes: readonly Route<T>[]): Route<T>[] {
  return [...routes].sort((a, b) => {
    for (let i = 0; i < Math.max(a.segments.length, b.segments.length); i++) {
      const difference = rank(a.segments[i]) - rank(b.segments[i]);
      if (difference !== 0) return difference;
    }
    return 0;
  });
}

/** Finds the route of a path (percent-encoded, without prefix) among sorted ones. */
export function matchRoute<T>(routes: readonly Route<T>[], method: string, path: string): RouteMatch<T> {
  const values = decodeSegments(path);
  if (!values) return { type: 'not-found' };
  const allowed = new Set<string>();
  for (const route of routes) {
    const params = matchSegments(route.segments, values);
    if (!params) continue;
    if (route.methods.includes(method)) return { type: 'found', target: route.target, params };
    for (const other of route.methods) allowed.add(other);
  }
  return allowed.size === 0 ? { type: 'not-found' } : { type: 'method-not-allowed', allowed: [...allowed] };
}

function decodeSegments(path: string): string[] | undefined {
  try {
    return path
      .split('/')
      .filter((text) => text !== '')
      .map(decodeURIComponent);
  } catch {
    return undefined; // a broken percent escape
  }
}

function matchSegments(segments: readonly Segment[], values: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    if (segment.type === 'literal') {
      if (values[index]?.toLowerCase() !== segment.text) return undefined;
      continue;
    }
    const value = segment.isCatchAll ? values.slice(index).join('/') : values[index];
    if (value === undefined || value === '') {
      if (!segment.isOptional) return undefined;
      continue;
    }
    if (!segment.constraints.every((fits) => fits(value))) return undefined;
    params[segment.name] = value;
    if (segment.isCatchAll) return params;
  }
  return values.length > segments.length ? undefined : params;
}
