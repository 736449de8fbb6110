// Whether the lab is in the state it should rest in, by ground truth and by what the control plane has proved. Pure.
import type { Status, StatusRegion } from '../../shared/api.ts';
import type { World } from './world.ts';

/** Every session up, every vip answered by its first region and nobody else, every order carried out and proved. */
export function isSteady(world: World, status: Status | undefined): boolean {
  return isWorldSteady(world) && status?.vips.every(isVipProved) === true;
}

/** The part of it that needs no control plane. */
export function isWorldSteady(world: World): boolean {
  const sessions = world.regions.flatMap((region) => region.routeServers.flatMap((server) => server.sessions));
  return (
    sessions.every((session) => session.state === 'Established') &&
    world.vips.every((vip) => vip.answeredBy === vip.regions[0] && vip.outageSinceMs === null)
  );
}

function isVipProved(vip: Status['vips'][number]): boolean {
  return (
    vip.servedBy === vip.acting && vip.regions.every((region) => isRegionProved(region, region.region === vip.acting))
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
