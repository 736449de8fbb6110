// Makes the runs of one scenario: steady, fault, observed, repaired, steady again. A run counts only when all of it was seen.
import { nowMs } from './client-feed.ts';
import type { RunResult } from './figures.ts';
import { firstAnswerBy, measureOutage } from './outage.ts';
import { delay } from './poll.ts';
import type { RunningRegion } from './region.ts';
import { SCENARIOS, type Scenario, type ScenarioName } from './scenarios.ts';
import type { World } from './world.ts';

/** Longest time a fault is given to be overcome: the hold time of 180 s and some. */
const OBSERVE_MS = 200_000;
/** Requests begun before the move end, one way or the other, within their timeout of one second. */
const SETTLE_MS = 1200;
/** A fault strikes at a random moment between two probes and two reports. */
const PHASE_MS = 2000;
/** all-apps-down: how long nobody runs. */
const DARK_MS = 3000;

export type Say = (line: string) => void;

/** One run of any scenario. Never throws for what the world does: that is a result that is not ok. */
export async function runOnce(world: World, name: ScenarioName, say: Say): Promise<RunResult> {
  const startedAtMs = nowMs();
  try {
    await world.untilSteady();
    await delay(Math.random() * PHASE_MS);
    return name === 'all-apps-down' ? await runAllAppsDown(world) : await runFault(world, SCENARIOS[name]);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    say(`  ${problem}`);
    // Nothing better is known than how long it was watched in vain.
    const watchedMs = nowMs() - startedAtMs;
    return { outageMs: watchedMs, failedRequests: 0, movedMs: watchedMs, ok: false, problem };
  } finally {
    await repair(world, name, say);
  }
}

async function runFault(world: World, scenario: Scenario): Promise<RunResult> {
  await scenario.prepare?.(world);
  const [from, to] = scenario.movesTo === 'backup' ? [world.primary, world.backup] : [world.backup, world.primary];
  const before = answersOf(world, from, nowMs() - 1000);
  const faultAtMs = nowMs();
  const operation = await scenario.fault(world);
  await world.untilServedBy(to, operation, OBSERVE_MS);
  await delay(SETTLE_MS);
  return judge(world, to, faultAtMs, before);
}

/** Answers of a region in the second before the fault: without them nothing could have moved. */
const answersOf = (world: World, region: RunningRegion, fromMs: number): number =>
  world.client.since(fromMs).filter((sample) => sample.region === region.plan.region).length;

function judge(world: World, to: RunningRegion, faultAtMs: number, before: number): RunResult {
  const samples = world.client.since(faultAtMs - 1000);
  const outage = measureOutage(samples, faultAtMs, nowMs());
  const movedAtMs = firstAnswerBy(samples, to.plan.region, faultAtMs);
  const problem =
    before === 0
      ? 'the acting region had not answered before the fault'
      : outage === undefined || movedAtMs === undefined
        ? 'clients saw no answer after the fault'
        : undefined;
  return {
    outageMs: outage?.outageMs ?? nowMs() - faultAtMs,
    failedRequests: outage?.failedRequests ?? 0,
    movedMs: (movedAtMs ?? nowMs()) - faultAtMs,
    ok: problem === undefined,
    ...(problem === undefined ? {} : { problem }),
  };
}

/** Both applications die; the prefix must stay announced, and the first to return must be served. */
async function runAllAppsDown(world: World): Promise<RunResult> {
  const before = answersOf(world, world.primary, nowMs() - 1000);
  const faultAtMs = nowMs();
  await Promise.all([world.primary.crashApp(), world.backup.crashApp()]);
  await delay(DARK_MS);
  await world.backup.restoreApp();
  const returnedAtMs = nowMs();
  await world.client.untilServedBy(world.backup.plan.region, OBSERVE_MS);
  await delay(SETTLE_MS);
  const result = judge(world, world.backup, faultAtMs, before);
  const servedAtMs = firstAnswerBy(world.client.since(returnedAtMs), world.backup.plan.region, returnedAtMs);
  const isAnnounced = world.routeWatch.since(faultAtMs).every((change) => change.nextHop !== null);
  const hasRoute = (await world.fabric.onPremises()).length > 0;
  return {
    ...result,
    servedAfterReturnMs: (servedAtMs ?? Number.POSITIVE_INFINITY) - returnedAtMs,
    announcedThroughout: isAnnounced && hasRoute,
    ok: result.ok && isAnnounced && hasRoute && servedAtMs !== undefined,
  };
}

async function repair(world: World, name: ScenarioName, say: Say): Promise<void> {
  try {
    if (name === 'all-apps-down') {
      await Promise.all([world.primary.restoreApp(), world.backup.restoreApp()]);
    } else {
      await SCENARIOS[name].repair(world);
    }
  } catch (error) {
    say(`  repair: ${error instanceof Error ? error.message : String(error)}`);
  }
}
