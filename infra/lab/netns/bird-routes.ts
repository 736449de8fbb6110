// Reads what `birdc show route all` prints: prefix, next hop, AS path, which of several is best. Text only.

export interface BirdRoute {
  readonly prefix: string;
  readonly nextHop: string;
  /** The protocol it was learned by, as named in the configuration. */
  readonly protocol: string;
  readonly isBest: boolean;
  readonly asPath: readonly number[];
}

/** `192.0.2.10/32  unicast [edge 2026-11-22 00:50:01.123] * (100) [AS65001i]`; the prefix stands on its first route only. */
const HEAD = /^(\S+\/\d+)?\s+unicast \[(\S+) [^\]]*\]\s*(\*)?/;

/** The BGP routes in the text, in its order. */
export function parseBirdRoutes(text: string): BirdRoute[] {
  const lines = text.split('\n');
  const heads = lines.flatMap((line, at) => {
    const match = HEAD.exec(line);
    return match === null ? [] : [{ at, match }];
  });
  let prefix = '';
  return heads.flatMap(({ at, match }, i) => {
    prefix = match[1] ?? prefix;
    const block = lines.slice(at + 1, heads[i + 1]?.at).join('\n');
    const path = /BGP\.as_path:(.*)$/m.exec(block)?.[1];
    if (path === undefined) return [];
    return [
      {
        prefix,
        nextHop: /BGP\.next_hop: (\S+)/.exec(block)?.[1] ?? '',
        protocol: match[2] ?? '',
        isBest: match[3] === '*',
        asPath: [...path.matchAll(/\d+/g)].map((number) => Number(number[0])),
      },
    ];
  });
}

/** Whether the named protocol's session is up, from the text of `birdc show protocols`. */
export function isEstablished(text: string, protocol: string): boolean {
  return text.split('\n').some((line) => line.startsWith(`${protocol} `) && / Established\s*$/.test(line));
}
