// The command line of `npm run lab:netns`: what was asked for, or everything that is wrong with it. Text in, value out.
import { parseArgs } from 'node:util';
import { err, type Finding, ok, type Result } from '../../../shared/result.ts';
import { describeScenario, SCENARIO_NAMES, type ScenarioName } from './scenarios.ts';

export interface LabOptions {
  /** Absent: bring the lab up and show it until Ctrl-C. */
  readonly scenario?: ScenarioName;
  readonly runs: number;
  readonly json: boolean;
  readonly keep: boolean;
  /** The agents carry the vip and give connections a second chance; long transfers run across the moves. */
  readonly secondChance: boolean;
  readonly help: boolean;
}

const RUNS_MAX = 1000;

const TEXT = { type: 'string' } as const;
const SWITCH = { type: 'boolean', default: false } as const;

export function parseLabOptions(args: readonly string[]): Result<LabOptions> {
  let values: {
    scenario?: string;
    runs?: string;
    json?: boolean;
    keep?: boolean;
    help?: boolean;
    'second-chance'?: boolean;
  };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { scenario: TEXT, runs: TEXT, json: SWITCH, keep: SWITCH, help: SWITCH, 'second-chance': SWITCH },
    }));
  } catch (error) {
    return err([finding('', 'bad-option', error instanceof Error ? error.message : String(error))]);
  }
  const runs = Number(values.runs ?? '1');
  const problems = [
    ...(values.scenario === undefined || isScenario(values.scenario)
      ? []
      : [finding('--scenario', 'unknown-scenario', `${values.scenario} is none of ${SCENARIO_NAMES.join(', ')}`)]),
    ...(Number.isInteger(runs) && runs >= 1 && runs <= RUNS_MAX
      ? []
      : [finding('--runs', 'bad-number', `a whole number from 1 to ${RUNS_MAX}`)]),
    ...(values.scenario === undefined && (values.json === true || values.runs !== undefined)
      ? [finding('--scenario', 'missing', '--runs and --json belong to a scenario')]
      : []),
  ];
  const hasSecondChance = values['second-chance'] === true;
  if (hasSecondChance && values.scenario !== undefined && !isPlanned(values.scenario)) {
    problems.push(
      finding(
        '--second-chance',
        'not-planned',
        `only for ${PLANNED.join(' and ')}: a crash takes its connections along`,
      ),
    );
  }
  if (problems.length > 0) return err(problems);
  return ok({
    ...(values.scenario !== undefined && isScenario(values.scenario) ? { scenario: values.scenario } : {}),
    runs,
    json: values.json === true,
    keep: values.keep === true,
    secondChance: hasSecondChance,
    help: values.help === true,
  });
}

const finding = (path: string, code: string, message: string): Finding => ({ path, code, message });

/** Moves that somebody wants: the region that is left lives on. */
const PLANNED: readonly string[] = ['planned-failover', 'failback', 'drain'] satisfies ScenarioName[];
const isPlanned = (name: string): boolean => PLANNED.includes(name);

const isScenario = (name: string): name is ScenarioName => (SCENARIO_NAMES as readonly string[]).includes(name);

export const usage = (): string => `npm run lab:netns                                      the lab, until Ctrl-C
npm run lab:netns -- --scenario NAME [--runs N] [--json]   one fault N times, with its figures
npm run lab:netns -- --keep                            leave logs and configuration behind
npm run lab:netns -- --second-chance ...               connections survive planned moves; 60 s transfers prove it

${SCENARIO_NAMES.map((name) => `  ${name.padEnd(18)}${describeScenario(name)}`).join('\n')}
`;
