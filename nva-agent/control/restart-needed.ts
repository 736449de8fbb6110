// Which settings of a new configuration only a restart can change.
import type { Finding } from '../../shared/result.ts';
import { findNva } from '../../shared/topology.ts';
import type { AgentConfig } from './config.ts';

/** One finding per such setting that differs. */
export function restartNeeded(old: AgentConfig, now: AgentConfig): Finding[] {
  const place = (config: AgentConfig) => findNva(config.loadedTopology, config.nva);
  const pairs: [string, unknown, unknown][] = [
    ['listen', old.listen, now.listen],
    ['bgp', old.bgp, now.bgp],
    ['driver', old.driver, now.driver],
    ['stateDirectory', old.stateDirectory, now.stateDirectory],
    ['nva', old.nva, now.nva],
    ['topology:routeServer', place(old)?.region.routeServer, place(now)?.region.routeServer],
    ['topology:nva', [place(old)?.nva.asn, place(old)?.nva.address], [place(now)?.nva.asn, place(now)?.nva.address]],
    ['topology:timing.holdSeconds', old.loadedTopology.timing.holdSeconds, now.loadedTopology.timing.holdSeconds],
  ];
  return pairs
    .filter(([, a, b]) => JSON.stringify(a) !== JSON.stringify(b))
    .map(([path]) => ({ path, code: 'restart-needed', message: 'takes effect when the agent is restarted' }));
}

/** Sessions speak for this name, ASN and address; none of them can change under a session. */
const IDENTITY: readonly string[] = ['nva', 'topology:nva'];

/** Whether these findings would make the agent another NVA, which nothing short of a restart can. */
export const isAnotherNva = (found: readonly Finding[]): boolean => found.some(({ path }) => IDENTITY.includes(path));

/** The new configuration, where what needs a restart keeps its old value; everything else takes effect. */
export const keepingStartup = (old: AgentConfig, now: AgentConfig): AgentConfig => ({
  ...now,
  listen: old.listen,
  bgp: old.bgp,
  driver: old.driver,
  stateDirectory: old.stateDirectory,
});
