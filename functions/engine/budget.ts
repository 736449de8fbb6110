// The budget of automatic moves: counts causes (region and verdict), so that one lost region with a hundred vips is one.
import { type VipRound, verdictOf } from './round.ts';
import type { EngineConfig, Policy } from './types.ts';

type Moves = Policy['moves'];

const inWindow = (moves: Moves, config: EngineConfig, nowMs: number): Moves =>
  moves.filter((move) => nowMs - move.atMs < config.guards.windowSeconds * 1000);

/** Moves of the same cause within one route-change window are one event. */
const joins = (move: Moves[number], cause: string, config: EngineConfig, nowMs: number): boolean =>
  move.cause === cause && nowMs - move.atMs <= config.routeChangeMs;

/** When the budget allows this cause again, or undefined when it does now. */
export function budgetUntilMs(moves: Moves, cause: string, config: EngineConfig, nowMs: number): number | undefined {
  const counted = inWindow(moves, config, nowMs);
  if (counted.length < config.guards.maxMovesPerWindow) return undefined;
  if (counted.some((move) => joins(move, cause, config, nowMs))) return undefined;
  const freeing = counted.map((move) => move.atMs).sort((a, b) => a - b)[
    counted.length - config.guards.maxMovesPerWindow
  ];
  return (freeing ?? nowMs) + config.guards.windowSeconds * 1000;
}

/** The moves with this one counted; those that left the window are dropped. */
export function countMove(moves: Moves, cause: string, config: EngineConfig, nowMs: number): Moves {
  const counted = inWindow(moves, config, nowMs);
  if (counted.some((move) => joins(move, cause, config, nowMs))) return moves;
  return [...counted, { atMs: nowMs, cause }];
}

/** What counts against the budget: one region in one condition, however many vips it carries. */
export const causeOf = (vr: VipRound): string => `${vr.policy.acting}/${verdictOf(vr, vr.policy.acting).verdict}`;
