// The whole desired set of BGP routes, from what each vip wants on the wire.
// It must never know sessions or the time.
import { announcedPath } from '../../shared/ladder.ts';
import type { Nva } from '../../shared/topology-schema.ts';
import type { AgentPlan, AgentState } from '../agent.ts';
import type { Route } from '../bgp/messages.ts';

/** One route per announced vip: the NVA's own ASN leftmost, then the prepends; the NVA itself as next hop. */
export function wantedRoutes(state: AgentState, plan: AgentPlan, nva: Nva): Route[] {
  return plan.vips.flatMap((vip) => {
    const announced = state.vips.get(vip.vip)?.announced;
    if (announced === undefined || announced === null) return [];
    return [
      {
        prefix: vip.prefix,
        asPath: announcedPath(nva.asn, announced.prependAsn, announced.prepend),
        nextHop: nva.address,
        ...(announced.med === null ? {} : { med: announced.med }),
        ...(announced.communities.length === 0 ? {} : { communities: announced.communities }),
      },
    ];
  });
}
