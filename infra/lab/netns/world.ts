// The whole lab as it runs: makes it in the right order, answers what scenarios ask of it, and takes it down again.
import { mkdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Operation } from '../../../shared/api.ts';
import { OperatingError } from '../../../shared/errors.ts';
import { baseRung } from '../../../shared/ladder.ts';
import { type ClientFeed, nowMs, startClient } from './client-feed.ts';
import type { LabContext } from './context.ts';
import { type ControlPlane, findUnsteady, isTurnedDown } from './control-plane.ts';
import { startControlPlane } from './control-processes.ts';
import { type Fabric, startFabric } from './fabric.ts';
import { writeLabFiles } from './lab-files.ts';
import { runPrefix } from './leftovers.ts';
import { createNamespaces, endProcessesInside, removeLeftovers, removeNamespaces } from './namespaces.ts';
import { planLab, VIP } from './plan.ts';
import { delay, until } from './poll.ts';
import { createProcessTable, mayPreferProcesses } from './processes.ts';
import { type RunningRegion, startRegion } from './region.ts';
import { type RouteWatch, startRouteWatch } from './route-watch.ts';
import { LADDER } from './topology.ts';

/** From a repaired fault (or the start) to the base rungs, every step proved: well below this on a busy machine too. */
const STEADY_MS = 150_000;
const SESSIONS_MS = 60_000;
/** A failback that a guard holds (the target is not proved yet) is asked for again after this long. */
const FAILBACK_AGAIN_MS = 2000;
/** An operation that nothing comes of is looked at this often, away from the measured path. */
const OPERATION_LOOK_MS = 1000;

export interface World {
  readonly context: LabContext;
  readonly fabric: Fabric;
  readonly client: ClientFeed;
  readonly control: ControlPlane;
  readonly routeWatch: RouteWatch;
  /** Ranked as the vip ranks them. */
  readonly primary: RunningRegion;
  readonly backup: RunningRegion;
  /** Waits until the primary serves from its base rung and all orders are carried out; asks for failback if need be. */
  untilSteady(): Promise<void>;
  /** Moves the vip by the HTTP API and waits until clients are served there. */
  moveTo(region: RunningRegion): Promise<void>;
  /** Waits until clients are served there; an operation that is turned down ends the wait with its reasons. */
  untilServedBy(region: RunningRegion, operation: Operation | undefined, timeoutMs: number): Promise<void>;
  /** Undoes what was done to an NVA and waits for its BGP sessions. */
  restoreNva(region: RunningRegion): Promise<void>;
  /** Kills every process and removes namespaces and files. */
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly holdSeconds: number;
  /** The agents carry the vip and give connections a second chance. */
  readonly secondChance?: boolean;
  readonly say: (line: string) => void;
  /** Leaves the run's folder with its logs and configuration, as `kept-<name>`. */
  readonly keep: boolean;
  /** Given the way to remove everything made so far, before anything is made. */
  readonly onInterrupt?: (tearDown: () => Promise<void>) => void;
}

/** Brings the lab up. When something on the way fails, everything made so far is removed before the error goes on. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const removed = await removeLeftovers();
  if (removed.length > 0)
    options.say(`removed what a killed run left behind: ${removed.length} namespaces and folders`);
  const plan = planLab(runPrefix(process.pid), options.secondChance);
  const folder = join(tmpdir(), plan.prefix);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const context: LabContext = { plan, folder, processes: createProcessTable(folder, await mayPrefer(options)) };
  let gone: Promise<void> | undefined;
  let made: Promise<void> = Promise.resolve();
  const stop = () => {
    gone ??= tearDown(context, options.keep, made);
    return gone;
  };
  options.onInterrupt?.(stop);
  try {
    made = createNamespaces(plan);
    await made;
    return await build(context, options, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function mayPrefer(options: WorldOptions): Promise<boolean> {
  const isAllowed = await mayPreferProcesses();
  if (!isAllowed) options.say('real-time priority is not allowed here: figures include the load of this machine');
  return isAllowed;
}

/** Waits for the namespaces that are just being made: what appears after the removal would stay. */
async function tearDown({ plan, folder, processes }: LabContext, keep: boolean, made: Promise<void>): Promise<void> {
  await Promise.allSettled([processes.killAll(), made]);
  await endProcessesInside(plan);
  await removeNamespaces(plan);
  // Under another name, so that the next run does not take it for something left behind.
  if (keep) await rename(folder, join(tmpdir(), `kept-${basename(folder)}`));
  else await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

async function build(context: LabContext, options: WorldOptions, stop: () => Promise<void>): Promise<World> {
  const { plan } = context;
  const files = await writeLabFiles(context, options.holdSeconds);
  const fabric = await startFabric(context);
  const routeWatch = startRouteWatch(context, nowMs);
  const [control, [primary, backup]] = await Promise.all([
    startControlPlane(context, fabric, files),
    Promise.all(plan.regions.map((region) => startRegion(context, region, files))),
  ]);
  if (primary === undefined || backup === undefined) throw new RangeError('the lab has two regions');
  const client = await startClient(context, files);
  const world: World = {
    context,
    fabric,
    client,
    control,
    routeWatch,
    primary,
    backup,
    untilSteady: () => untilSteady(world),
    moveTo: async (region) => {
      const operation = await control.failover(region.plan.region, 'the laboratory prepares a run');
      await world.untilServedBy(region, operation, STEADY_MS);
    },
    untilServedBy: (region, operation, timeoutMs) => untilServedBy(world, region, operation, timeoutMs),
    restoreNva: async (region) => {
      await region.restoreNva();
      // Route Server may still hold the session of the NVA that was switched off; on Azure its hold time ends it.
      if (!(await fabric.areSessionsUp(region.plan.region))) await fabric.resetNvaSessions(region.plan.region);
      await until(`both sessions of ${region.plan.nva.name} are up`, SESSIONS_MS, () =>
        fabric.areSessionsUp(region.plan.region),
      );
    },
    stop,
  };
  return world;
}

async function untilServedBy(
  world: World,
  region: RunningRegion,
  operation: Operation | undefined,
  timeoutMs: number,
): Promise<void> {
  const what = `clients are served by ${region.plan.region}`;
  let lookedAtMs = nowMs();
  await until(what, timeoutMs, async () => {
    if (world.client.isServedBy(region.plan.region)) return true;
    if (operation === undefined || nowMs() - lookedAtMs < OPERATION_LOOK_MS) return false;
    lookedAtMs = nowMs();
    const { state, problems } = await world.control.operation(operation.id);
    if (!isTurnedDown({ ...operation, state })) return false;
    const why = problems.map((problem) => problem.detail).join('; ');
    throw new OperatingError('turned-down', `${operation.kind} ${state}: ${why}`, { retryable: false });
  });
}

async function untilSteady(world: World): Promise<void> {
  const primary = world.primary.plan.region;
  if (world.control.isRunning()) await untilPolicyIsSteady(world, primary);
  await world.client.untilServedBy(primary, STEADY_MS);
}

async function untilPolicyIsSteady(world: World, primary: string): Promise<void> {
  const regions = [world.primary, world.backup].map((region) => region.plan.region);
  const base = Object.fromEntries(regions.map((region, rank) => [region, baseRung(LADDER, rank)]));
  let why: string | undefined;
  let askedAtMs = 0;
  try {
    await until('the policy is steady', STEADY_MS, async () => {
      const status = await world.control.status();
      why = findUnsteady(status, VIP.name, primary, base) ?? (await findHindrance(world));
      const acting = status.vips.find((row) => row.vip === VIP.name)?.acting;
      if (acting !== undefined && acting !== primary && nowMs() - askedAtMs > FAILBACK_AGAIN_MS) {
        askedAtMs = nowMs();
        await world.control.failback('the laboratory goes back to its steady state');
      }
      if (why !== undefined) await delay(200);
      return why === undefined;
    });
  } catch (error) {
    throw new Error(`no steady state: ${why ?? 'unknown'}`, { cause: error });
  }
}

/** Why a planned move to the backup would be refused now: the last step of recentring may not be proved yet. */
async function findHindrance({ control, backup }: World): Promise<string | undefined> {
  const plan = await control.planFailover(backup.plan.region);
  if (plan.allowed) return undefined;
  return `a move would be refused: ${plan.blocked.map(({ guard, detail }) => `${guard}: ${detail}`).join('; ')}`;
}
