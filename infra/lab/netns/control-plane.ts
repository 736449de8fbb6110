// What scenarios ask of the control plane. How it runs is control-processes.ts.
import type { Operation, Plan, Status } from '../../../shared/api.ts';

export interface ControlPlane {
  isRunning(): boolean;
  /** SIGKILL to the seat; storage and tokens stay. */
  kill(): Promise<void>;
  start(): Promise<void>;
  status(): Promise<Status>;
  /** Resolves when the request was accepted; throws OperatingError with the problem document's words otherwise. */
  failover(to: string, reason: string): Promise<Operation>;
  failback(reason: string): Promise<Operation>;
  /** Takes a region out of service in an orderly manner; `undrain` brings it back. */
  drain(region: string, reason: string): Promise<Operation>;
  undrain(region: string, reason: string): Promise<Operation>;
  /** What a failover would do now, without doing it. */
  planFailover(to: string): Promise<Plan>;
  operation(id: string): Promise<Operation>;
}

/** Whether an operation ended without having moved anything. */
export const isTurnedDown = (operation: Operation): boolean =>
  operation.state === 'refused' || operation.state === 'expired' || operation.state === 'failed';

/** What steady means beyond who acts: why the given status is not steady yet, or undefined when it is. */
export function findUnsteady(
  status: Status,
  vip: string,
  primary: string,
  baseRungs: Readonly<Record<string, number>>,
): string | undefined {
  const row = status.vips.find((candidate) => candidate.vip === vip);
  if (row === undefined) return `${vip} is not in the status`;
  if (row.acting !== primary) return `${row.acting} acts`;
  for (const region of row.regions) {
    if (region.verdict !== 'healthy') return `${region.region} is ${region.verdict}: ${region.detail}`;
    if (region.rung !== baseRungs[region.region]) return `${region.region} is on rung ${region.rung}`;
    const behind = region.nvas.find((nva) => !nva.acknowledged || nva.lastResort);
    if (behind !== undefined) return `${behind.nva} does not follow its order yet`;
  }
  return undefined;
}
