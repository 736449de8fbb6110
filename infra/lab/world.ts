// The ground truth of the lab as `GET /world` tells it: what is really running, announced, chosen and answered.

import type { AppMode } from './app.ts';
import type { ChildState } from './child.ts';
import type { EdgeStyle } from './circuit-edge.ts';
import type { AnsweredVip, VipOutage } from './client.ts';
import type { ActiveFault } from './faults.ts';
import type { EdgeRoute, OnPremisesRoute } from './on-premises.ts';
import type { RouteServerSession } from './route-server.ts';
import type { LearnedRoute } from './route-server-rib.ts';

export interface WorldRouteServer {
  readonly instance: string;
  /** As the topology names it. */
  readonly peer: string;
  readonly sessions: readonly RouteServerSession[];
  readonly routes: readonly LearnedRoute[];
}

export interface WorldNva {
  readonly nva: string;
  readonly pid: number | null;
  readonly state: ChildState;
  /** Whether agent and seats reach each other. */
  readonly controlPath: 'open' | 'cut';
  readonly clockOffsetMs: number;
}

export interface WorldRegion {
  readonly region: string;
  readonly app: { readonly pid: number | null; readonly state: ChildState };
  /** By vip. */
  readonly apps: Readonly<Record<string, { readonly mode: AppMode; readonly port: number }>>;
  readonly nvas: readonly WorldNva[];
  readonly routeServers: readonly WorldRouteServer[];
  readonly edge: { readonly style: EdgeStyle; readonly routes: readonly EdgeRoute[] };
}

export interface WorldVip extends AnsweredVip {
  readonly prefix: string;
  readonly regions: readonly string[];
  /** Where the on-premises router takes connections for it. */
  readonly url: string;
}

export interface World {
  readonly deployment: string;
  readonly nowMs: number;
  readonly startedAtMs: number;
  readonly sinceStartMs: number;
  /** From start until the first state that was proved, or null before that. */
  readonly steadyAfterMs: number | null;
  readonly directory: string;
  readonly topology: string;
  readonly ports: { readonly control: number; readonly functions: Readonly<Record<string, number>> };
  readonly regions: readonly WorldRegion[];
  readonly onPremises: readonly OnPremisesRoute[];
  readonly vips: readonly WorldVip[];
  readonly seats: readonly { readonly seat: string; readonly pid: number | null; readonly state: ChildState }[];
  readonly storage: { readonly pid: number | null; readonly state: 'up' | 'down' };
  /** What arrived at the Logs Ingestion endpoint; a record sent twice counts once in `eventIds`. */
  readonly ingestion: { readonly state: 'up' | 'down'; readonly records: number; readonly eventIds: number };
  readonly outages: readonly VipOutage[];
  readonly faults: readonly ActiveFault[];
}
