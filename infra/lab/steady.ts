// Whether the lab is in the state it should rest in, by ground truth and by what the control plane has proved. Pure.
import type { Status, StatusRegion } from '../../shared/api.ts';
import type { World } from './world.ts';

/** Every session up, every vip answered by its first region, every order acknowledged, held as ordered, and not in doubt. */
export function isSteady(world: World, status: Status | undefined): boolean {
  return isWorldSteady(world) && status?.vips.every((vip) => isVipProved(world, vip)) === true;
}

/** The part of it that needs no control plane. */
export function isWorldSteady(world: World): boolean {
  const sessions = world.regions.flatMap((region) => region.routeServers.flatMap((server) => server.sessions));
  return (
    sessions.every((session) => session.state === 'Established') &&
    world.vips.every((vip) => vip.answeredBy === vip.regions[0] && vip.outageSinceMs === null)
  );
}

function isVipProved(world: World, vip: Status['vips'][number]): boolean {
  return (
    vip.servedBy === vip.acting &&
    vip.regions.every((region) => isRegionProved(region, region.region === vip.acting) && isHeld(world, vip, region))
  );
}

/** Nobody is answered by a backup, so only the acting region's last step can be proved. */
function isRegionProved(region: StatusRegion, acts: boolean): boolean {
  const { agent, routeServer, circuit, observer } = region.proofs;
  const wanted = acts ? [agent, routeServer, circuit, observer] : [agent, routeServer];
  return (
    region.nvas.every((nva) => nva.acknowledged) &&
    wanted.every((step) => step.proof === 'proved' || step.proof === 'not checked')
  );
}

/** Before the first move the control plane checks no proof; ground truth says whether both instances hold the order. */
function isHeld(world: World, vip: Status['vips'][number], region: StatusRegion): boolean {
  const servers = world.regions.find((candidate) => candidate.region === region.region)?.routeServers ?? [];
  return servers.every((server) => {
    const routes = server.routes.filter((route) => route.prefix === vip.prefix);
    if (region.state === 'withheld') return routes.length === 0;
    // Own number first; a standby NVA of the same region prepends one more.
    return routes.length > 0 && Math.min(...routes.map((route) => route.asPath.length)) === 1 + region.prepend;
  });
}
