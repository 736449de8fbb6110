// A map that never changes: a new one with one entry replaced costs a sixteenth of a copy.
// Two hundred vips are stepped four hundred times a second; whole copies were a tenth of the agent's garbage and time.

const PARTS = 16;

/** By part: the least value of a measure. A part never changes, so neither does this. */
const LEAST = new WeakMap<object, WeakMap<object, number>>();

/** Iterates in no order worth relying on. */
export class SplitMap<V> implements ReadonlyMap<string, V> {
  readonly #parts: readonly ReadonlyMap<string, V>[];

  private constructor(parts: readonly ReadonlyMap<string, V>[]) {
    this.#parts = parts;
  }

  /** The same entries, split. Costs nothing for one that is split already. */
  static of<V>(entries: ReadonlyMap<string, V>): SplitMap<V> {
    if (entries instanceof SplitMap) return entries;
    const parts = Array.from({ length: PARTS }, () => new Map<string, V>());
    for (const [key, value] of entries) parts[partOf(key)]?.set(key, value);
    return new SplitMap(parts);
  }

  /** The same map but for this entry. */
  with(key: string, value: V): SplitMap<V> {
    const index = partOf(key);
    return new SplitMap(this.#parts.with(index, new Map(this.#parts[index]).set(key, value)));
  }

  /** The least that `measure` says of any value, Infinity without values. Give the same function each time: parts remember it. */
  least(measure: (value: V) => number): number {
    return this.#parts.reduce((least, part) => Math.min(least, leastOf(part, measure)), Number.POSITIVE_INFINITY);
  }

  get size(): number {
    return this.#parts.reduce((sum, part) => sum + part.size, 0);
  }

  get(key: string): V | undefined {
    return this.#parts[partOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.#parts[partOf(key)]?.has(key) ?? false;
  }

  forEach(call: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this) call(value, key, this);
  }

  *entries(): MapIterator<[string, V]> {
    for (const part of this.#parts) yield* part.entries();
  }

  *keys(): MapIterator<string> {
    for (const part of this.#parts) yield* part.keys();
  }

  *values(): MapIterator<V> {
    for (const part of this.#parts) yield* part.values();
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }
}

function leastOf<V>(part: ReadonlyMap<string, V>, measure: (value: V) => number): number {
  const remembered = LEAST.get(measure) ?? new WeakMap<object, number>();
  LEAST.set(measure, remembered);
  let least = remembered.get(part);
  if (least === undefined) {
    least = Number.POSITIVE_INFINITY;
    for (const value of part.values()) least = Math.min(least, measure(value));
    remembered.set(part, least);
  }
  return least;
}

/** FNV-1a, folded to a part. */
function partOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 16)) & (PARTS - 1);
}
