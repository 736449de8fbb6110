// How to take each guard of the engine out of the product: a mutant per guard word.
import type { Guard } from '../../functions/engine/reasons.ts';
import type { Mutant } from '../simulation/mutants.ts';

const GUARDS = 'functions/engine/guards.ts';

/** The guard's own check never stops anything. */
const check = (from: string, to: string, file = GUARDS): Pick<Mutant, 'file' | 'from' | 'to'> => ({ file, from, to });
const listed = (guard: Guard, name: string) => check(`  ['${guard}', ${name}],\n`, '');

const CHANGES: Readonly<Record<Guard, Pick<Mutant, 'file' | 'from' | 'to'>>> = {
  'last-announcer': check(
    'if (others.some((other) => isServing(vr, other))) return undefined;',
    'if (true) return undefined;',
    'functions/engine/drain.ts',
  ),
  'stale-target': listed('stale-target', 'staleTarget'),
  'unproven-target': listed('unproven-target', 'unprovenTarget'),
  'target-unhealthy': listed('target-unhealthy', 'targetUnhealthy'),
  headroom: listed('headroom', 'headroom'),
  pacing: listed('pacing', 'pacing'),
  shadow: check("vr.round.config.guards.mode === 'shadow' ?", 'vr.round.nowMs < 0 ?'),
  'mass-failure': listed('mass-failure', 'massFailure'),
  'move-budget': listed('move-budget', 'moveBudget'),
  dwell: listed('dwell', 'dwell'),
  'flap-penalty': listed('flap-penalty', 'flapPenalty'),
  hold: listed('hold', 'hold'),
  'warm-up': check('if (snapshot.seat.followedFresh || nowMs >= untilMs)', 'if (nowMs > 0)'),
  veto: listed('veto', 'veto'),
  window: listed('window', 'window'),
  calm: check('  if (round.nowMs < calmMs) {', '  if (round.nowMs < 0) {', 'functions/engine/recentre.ts'),
  'untrusted-ledger': check('  vr.round.trusted ? undefined :', '  vr.round.nowMs > 0 ? undefined :'),
};

export const withoutGuard = (guard: Guard): Mutant => ({
  name: `without-${guard}`,
  removes: guard,
  ...CHANGES[guard],
  seeds: [],
});
