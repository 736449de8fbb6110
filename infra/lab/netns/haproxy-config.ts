// The reverse proxy of one NVA: the vip's port on the outside, the region's own application behind it. Text only.
import { APP_PORT, type RegionPlan, VIP } from './plan.ts';

/**
 * No health checks here: the agent alone judges the application. A dead application is answered with an error at once
 * instead of a retry, so that the measuring client sees what the network does and nothing else.
 */
export function haproxyConfig(region: RegionPlan): string {
  return `global
  maxconn 2048
  nbthread 1

defaults
  mode http
  retries 0
  timeout connect 500ms
  timeout client 10s
  timeout server 10s
  option http-server-close

frontend ${VIP.name}
  bind ${VIP.address}:${VIP.port}
  default_backend ${VIP.name}-app

backend ${VIP.name}-app
  server app ${region.app.address}:${APP_PORT}
`;
}
