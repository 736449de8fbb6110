// `npm run lab:netns`: the lab in network namespaces, for looking at (no arguments) or for measuring (--scenario).
import { formatFindings } from '../../../shared/result.ts';
import { type RunResult, summarise, withTransfers } from './figures.ts';
import { type LabOptions, parseLabOptions, usage } from './options.ts';
import { resultTable, runLine } from './report.ts';
import { findMissing } from './requirements.ts';
import { runOnce } from './runner.ts';
import { ALL_APPS_DOWN_HOLD_SECONDS, describeScenario, SCENARIOS, type ScenarioName } from './scenarios.ts';
import { showLab } from './show.ts';
import { startTransfers, TRANSFER_SECONDS, type TransferResult } from './transfers.ts';
import { startWorld, type World } from './world.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

async function main(): Promise<number> {
  const options = parseLabOptions(process.argv.slice(2));
  if (!options.ok) {
    say(`${formatFindings(options.error)}\n\n${usage()}`);
    return EXIT.usage;
  }
  if (options.value.help) {
    process.stdout.write(usage());
    return EXIT.ok;
  }
  const missing = findMissing();
  if (missing.length > 0) {
    say(`The namespace lab cannot run here.\n${missing.map((line) => `- ${line}`).join('\n')}`);
    return EXIT.usage;
  }
  const { scenario } = options.value;
  return scenario === undefined ? await show(options.value) : await measure(scenario, options.value);
}

async function show(options: LabOptions): Promise<number> {
  const world = await startInterruptible({ holdSeconds: 30, keep: options.keep, secondChance: options.secondChance });
  try {
    await showLab(world);
    return EXIT.ok;
  } finally {
    await world.stop();
  }
}

async function measure(name: ScenarioName, options: LabOptions): Promise<number> {
  say(`${name}: ${describeScenario(name)}; ${options.runs} runs`);
  const world = await startInterruptible({
    holdSeconds: holdSecondsOf(name),
    keep: options.keep,
    secondChance: options.secondChance,
  });
  const results: RunResult[] = [];
  let carried: TransferResult | undefined;
  try {
    await world.untilSteady();
    say('steady: the first region serves, orders are delivered');
    if (name !== 'all-apps-down' && SCENARIOS[name].controlPlane === 'dead') {
      await world.control.kill();
      say('the control plane is dead');
    }
    const transfers = options.secondChance ? await startTransfers(world.context, TRANSFER_SECONDS) : undefined;
    for (let run = 1; run <= options.runs; run += 1) {
      const result = await runOnce(world, name, say);
      results.push(result);
      say(runLine(run, options.runs, result));
    }
    // The last repair is part of the scenario: a world that cannot be restored is no success.
    await world.untilSteady();
    carried = await transfers?.end((fromMs) => world.routeWatch.since(fromMs).length);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    if (results.length === 0) return EXIT.failed;
    results.push({ ...(results.pop() as RunResult), ok: false, problem: 'the world could not be restored' });
  } finally {
    await world.stop();
  }
  const figures = summarise(name, options.runs, results);
  const summary = carried === undefined ? figures : withTransfers(figures, carried);
  process.stdout.write(`${options.json ? JSON.stringify(summary) : resultTable(summary)}\n`);
  return summary.ok ? EXIT.ok : EXIT.failed;
}

const holdSecondsOf = (name: ScenarioName): number =>
  name === 'all-apps-down' ? ALL_APPS_DOWN_HOLD_SECONDS : SCENARIOS[name].holdSeconds;

/** Starts the lab so that Ctrl-C and SIGTERM remove it, also while it is still coming up. */
async function startInterruptible(options: {
  holdSeconds: number;
  keep: boolean;
  secondChance: boolean;
}): Promise<World> {
  return await startWorld({
    ...options,
    say,
    onInterrupt: (tearDown) => {
      let isStopping = false;
      const stop = () => {
        if (isStopping) return;
        isStopping = true;
        say('stopping: namespaces and processes are removed');
        void tearDown().finally(() => process.exit(EXIT.interrupted));
      };
      process.on('SIGINT', stop);
      process.on('SIGTERM', stop);
    },
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = EXIT.failed;
}
