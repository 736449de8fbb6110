// AS paths as people read them: prepends counted, what an edge removed still shown. Pure.

/** `65001 64500×12`: runs of a number are counted, because length is the signal. */
export function asPathText(path: readonly number[]): string {
  const parts: { readonly asn: number; count: number }[] = [];
  for (const asn of path) {
    const last = parts.at(-1);
    if (last?.asn === asn) last.count += 1;
    else parts.push({ asn, count: 1 });
  }
  return parts.map(({ asn, count }) => (count === 1 ? String(asn) : `${asn}×${count}`)).join(' ');
}

/** The path an edge received, with what it removed marked: `~65515 65001~ 64500×12`. */
export function strippedPathText(received: readonly number[], stripped: readonly number[]): string {
  if (stripped.length === 0) return asPathText(received);
  const kept = asPathText(received.slice(stripped.length));
  return `~${asPathText(stripped)}~${kept === '' ? '' : ` ${kept}`}`;
}
