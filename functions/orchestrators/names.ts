// Names of orchestrations and what they are given.
import type { OPERATION_KINDS } from '../../shared/api.ts';
import type { ActorType } from '../../shared/vocabulary.ts';
import type { Wish } from '../activities/names.ts';
import type { ScheduledDrill } from '../schedules.ts';

export const ORCHESTRATIONS = {
  evaluate: 'evaluate',
  operation: 'operation',
  verify: 'verify',
  drill: 'drill',
  upkeep: 'upkeep',
} as const;

export interface EvaluateInput {
  readonly group: string;
  /** Not before this time (epoch ms): later transitions of the same slot are looked at together. */
  readonly notBeforeMs: number;
}

export interface VerifyOrchestrationInput {
  readonly group: string;
  readonly decisionId: string;
}

export type OperationKind = (typeof OPERATION_KINDS)[number];

/** One request of a person or runbook, as accepted. */
export interface OperationInput {
  readonly id: string;
  readonly kind: OperationKind;
  readonly group: string;
  readonly vip: string | null;
  readonly region: string | null;
  readonly actor: string;
  readonly actorType: ActorType;
  readonly reason: string;
  readonly createdAtMs: number;
  readonly deadlineMs: number;
  /** Of the request, so that the same Idempotency-Key with another wish is noticed. */
  readonly bodyHash: string;
  readonly wish: Wish;
  /** Groups in which the same is wished after `group`: a region or a hold may concern several. */
  readonly alsoGroups?: readonly string[];
  /** Drill only: how long traffic stays on the other region. */
  readonly seconds?: number;
  /** Drill only: the schedule that it follows. */
  readonly scheduled?: ScheduledDrill;
}

export interface UpkeepInput {
  readonly group: string;
  readonly purge: boolean;
}
