// Names of orchestrations and what they are given.
import type { ActorType } from '../../shared/vocabulary.ts';
import type { Wish } from '../activities/names.ts';

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

export type OperationKind = 'failover' | 'failback' | 'drain' | 'undrain' | 'drill' | 'hold' | 'trust-ledger';

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
  /** Drill only: how long traffic stays on the other region. */
  readonly seconds?: number;
}

export interface UpkeepInput {
  readonly group: string;
  readonly purge: boolean;
}
