// Shortest AS path wins, equal lengths share: the decision Route Server, the circuit edge and on-premises all make. Pure.

/** The routes with the shortest path; several when they tie (ECMP), none when there are none. */
export function shortestPaths<R extends { readonly asPath: readonly number[] }>(routes: readonly R[]): R[] {
  const shortest = Math.min(...routes.map((route) => route.asPath.length));
  return routes.filter((route) => route.asPath.length === shortest);
}
