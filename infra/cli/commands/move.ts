// Declares the verbs that move traffic or keep it: failover, failback, drain, undrain, drill, operation, schedule, holds.
import { type Command, Option } from 'commander';
import type { Move, MoveFlags } from '../verbs/move.ts';
import { collect, moment, type Shell, seconds, verb } from './shell.ts';

type Flags = Omit<MoveFlags, 'timeoutSeconds'> & {
  readonly timeout: number;
  readonly reason: string;
  readonly force: string[];
  readonly to?: string;
  readonly vip?: string;
  readonly for?: number;
  readonly at?: number;
};

const moveVerb = (shell: Shell, name: string, description: string): Command =>
  verb(shell, name, description)
    .requiredOption('--reason <text>', 'why, for the record')
    .option('--dry-run', 'explain what would happen, change nothing', false)
    .option('--confirm <name>', 'the name you would be asked to type, for scripts')
    .option('--no-wait', 'do not wait for the proof')
    .option('--timeout <duration>', 'stop watching after this long', seconds, 180)
    .option('--idempotency-key <key>', 'repeat a request safely')
    .addOption(new Option('--force <guard>', 'override this guard, by name').argParser(collect).default([], 'none'));

export function declareMoving(shell: Shell): void {
  const run = async (flags: Flags, move: Move) => {
    const { runMove } = await import('../verbs/move.ts');
    shell.done(await runMove(shell.session(), move, { ...flags, timeoutSeconds: flags.timeout }));
  };
  const at = ({ at: atMs }: Flags) => (atMs === undefined ? {} : { atMs });
  moveVerb(shell, 'failover', 'move a vip to another region')
    .argument('<vip>')
    .option('--to <region>', 'target region (default: the best other one)')
    .option('--at <time>', 'not before this time, such as 2026-03-14T22:30:00+01:00', moment)
    .action((vip: string, flags: Flags) =>
      run(flags, {
        path: `/vips/${encodeURIComponent(vip)}/failover`,
        body: {
          ...(flags.to === undefined ? {} : { to: flags.to }),
          ...at(flags),
          reason: flags.reason,
          force: flags.force,
        },
        name: vip,
        title: `Move ${vip}${flags.to === undefined ? '' : ` to ${flags.to}`}`,
      }),
    );
  moveVerb(shell, 'failback', 'return a vip to its first region')
    .argument('<vip>')
    .option('--at <time>', 'not before this time, such as 2026-03-14T22:30:00+01:00', moment)
    .action((vip: string, flags: Flags) =>
      run(flags, {
        path: `/vips/${encodeURIComponent(vip)}/failback`,
        body: { ...at(flags), reason: flags.reason, force: flags.force },
        name: vip,
        title: `Fail ${vip} back`,
      }),
    );
  declareDrain(shell, run);
  moveVerb(shell, 'drill', 'fail a vip over for a while and back again, and report what it cost')
    .argument('<vip>')
    .option('--to <region>', 'region to exercise (default: the best other one)')
    .option('--for <duration>', 'how long to stay there', seconds, 60)
    .action((vip: string, flags: Flags) => {
      const stay = flags.for ?? 60;
      const to = flags.to === undefined ? {} : { to: flags.to };
      const body = { vip, ...to, seconds: stay, reason: flags.reason };
      const move = { path: '/drills', body, name: vip, title: `Drill ${vip}` };
      return run({ ...flags, timeout: flags.timeout + stay }, move);
    });
  declareOperations(shell);
  declareHolds(shell);
}

function declareDrain(shell: Shell, run: (flags: Flags, move: Move) => Promise<void>): void {
  const says = {
    drain: 'take a region out of service without losing the prefix',
    undrain: 'let a drained region take part again',
  };
  for (const name of ['drain', 'undrain'] as const) {
    moveVerb(shell, name, says[name])
      .argument('<region>')
      .option('--vip <vip>', 'one vip only')
      .action((region: string, flags: Flags) =>
        run(flags, {
          path: `/regions/${encodeURIComponent(region)}/${name}`,
          body: { ...(flags.vip === undefined ? {} : { vip: flags.vip }), reason: flags.reason, force: flags.force },
          name: region,
          title: `${name === 'drain' ? 'Drain' : 'Undrain'} ${region}`,
        }),
      );
  }
}

function declareOperations(shell: Shell): void {
  const { session, done } = shell;
  // `operation ID` shows it, as `operation show ID` does.
  const operation = verb(shell, 'operation', 'how an operation is doing');
  operation
    .command('show', { isDefault: true })
    .description('its steps and how it ended')
    .argument('<id>')
    .option('--watch', 'wait for its end', false)
    .option('--timeout <duration>', 'stop watching after this long', seconds, 180)
    .action(async (id: string, flags: { watch: boolean; timeout: number }) => {
      const { showOperation, watchOperation } = await import('../verbs/operation.ts');
      done(flags.watch ? await watchOperation(session(), id, flags.timeout) : await showOperation(session(), id));
    });
  operation
    .command('watch')
    .description('wait for its end')
    .argument('<id>')
    .option('--timeout <duration>', 'stop watching after this long', seconds, 180)
    .action(async (id: string, flags: { timeout: number }) => {
      const { watchOperation } = await import('../verbs/operation.ts');
      done(await watchOperation(session(), id, flags.timeout));
    });
  operation
    .command('cancel')
    .description('drop what waits; a drill goes back; what is committed stays')
    .argument('<id>')
    .requiredOption('--reason <text>', 'why, for the record')
    .action(async (id: string, flags: { reason: string }) => {
      const { cancelOperation } = await import('../verbs/schedule.ts');
      done(await cancelOperation(session(), id, flags.reason));
    });
  verb(shell, 'schedule', 'moves that wait for their time')
    .command('list')
    .description('operations that wait')
    .action(async () => {
      const { listSchedule } = await import('../verbs/schedule.ts');
      done(await listSchedule(session()));
    });
}

function declareHolds(shell: Shell): void {
  const { session, done } = shell;
  verb(shell, 'hold', 'keep automation away from a vip (or all) for a while')
    .argument('[vip]')
    .requiredOption('--reason <text>', 'why, for the record')
    .option('--for <duration>', 'how long', seconds, 3600)
    .option('--full', 'not even an unhealthy or lost region is left', false)
    .option('--dry-run', 'change nothing', false)
    .action(async (vip: string | undefined, flags: { reason: string; for: number; full: boolean; dryRun: boolean }) => {
      const { addHold } = await import('../verbs/hold.ts');
      const { for: length, ...rest } = flags;
      done(await addHold(session(), { ...rest, vip, seconds: length }));
    });
  verb(shell, 'holds', 'list holds').action(async () => {
    const { listHolds } = await import('../verbs/hold.ts');
    done(await listHolds(session()));
  });
  verb(shell, 'resume', 'release a hold')
    .argument('<hold>')
    .requiredOption('--reason <text>', 'why, for the record')
    .action(async (id: string, flags: { reason: string }) => {
      const { releaseHold } = await import('../verbs/hold.ts');
      done(await releaseHold(session(), id, flags.reason));
    });
}
