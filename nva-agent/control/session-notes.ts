// What a BGP session says, as log lines and metrics.
import type { SessionEvent } from '../bgp/session.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from './metrics.ts';

/** Notes the event; true when the session came up or went down, which every seat should hear. */
export function noteSessionEvent(peer: string, event: SessionEvent, log: Log, metrics: AgentMetrics): boolean {
  switch (event.type) {
    case 'state': {
      metrics.sessionUp.set({ peer }, event.state === 'Established' ? 1 : 0);
      const isTold = event.state === 'Established' || event.previous === 'Established';
      if (isTold) log.warn('session', { peer, from: event.previous, to: event.state });
      return isTold;
    }
    case 'notification':
      log.warn('notification', { peer, direction: event.direction, name: event.name, text: event.text });
      return false;
    case 'connection-failed':
      log.warn('connection failed', { peer, reason: event.reason });
      return false;
    case 'route-refresh':
      log.info('route refresh asked for', { peer });
      return false;
    case 'advertised':
      metrics.updates.inc({ peer });
      return false;
    case 'update':
      // Route Server tells us its routes; we originate only.
      return false;
  }
}
