// Every bound of the control plane, by name.

/** Lease on the ledger; renewed by every evaluation. */
export const LEASE_SECONDS = 20;
/** Attempts to commit on top of a ledger that keeps changing. */
export const COMMIT_ATTEMPTS_MAX = 4;
/** Looks of one evaluation: what it waits for must come within NEXT_LOOK_MS_MAX. */
export const ROUNDS_MAX = 3;
export const NEXT_LOOK_MS_MAX = 3_000;
/** The control plane's own question to an agent. */
export const PROBE_TIMEOUT_MS = 1_000;
export const PROBES_MAX = 64;
/** An order is pushed, or given up until the next look, within this time. */
export const DELIVER_TIMEOUT_MS = 1_500;
/** Slots that collect transitions: one evaluation per slot and group. News of a slot whose look has begun waits for its end. */
export const SLOT_MS = 50;
/** A look waits this long at most for the one before it in the same process. */
export const LOOK_WAIT_MS = 500;
/** A ledger that this process committed is not read back by the steps that follow within this time. */
export const COMMIT_RECENT_MS = 1_000;
/** A lease that this process renewed so recently is not renewed again: LEASE_SECONDS less this and a tick are left of it. */
export const LEASE_FRESH_MS = 4_000;
/** At most this often a report makes its seat look for overdue others. */
export const OVERDUE_CHECK_MS = 250;
/** A seat's view is written at most this often by reports. */
export const VIEW_MS = 2_000;
/** Waits between the looks of a proof: about two minutes in all, below 200 events of history. */
export const PROOF_WAITS_MS: readonly number[] = [
  250, 500, 500, 1_000, 1_000, 2_000, 2_000, 3_000, 3_000, 5_000, 5_000, 10_000, 10_000, 15_000, 15_000, 20_000, 30_000,
];
/** A proof still open after this long has lost whoever looked at it. */
export const OWN_PROOF_MS = 300_000;
/** Learned routes are read at most this often while a proof is open, and this often for drift. */
export const LEARNED_PROOF_MS = 2_000;
export const LEARNED_DRIFT_MS = 60_000;
/** One reading of routes through ARM. */
export const ROUTES_TIMEOUT_MS = 25_000;
/** Route Server's metric has grains of five minutes: asked so often, for so far back, and for so long. */
export const PEER_STATUS_MS = 300_000;
export const PEER_STATUS_WINDOW_MS = 900_000;
export const PEER_STATUS_TIMEOUT_MS = 10_000;
/** Seats ask applications for at most this long, each answer within its own time, so many at once and per look. */
export const APPS_TIME_MS = 4_000;
export const APP_TIMEOUT_MS = 1_000;
export const APPS_AT_ONCE = 16;
export const APPS_MAX = 400;
/** Shipping: records a call, calls a run. */
export const SHIP_BATCH = 500;
export const SHIP_BATCHES_MAX = 20;
/** Counting of the outbox stops here. */
export const DEPTH_MAX = 10_000;
export const AUDIT_PAGE_MAX = 1_000;
export const AUDIT_PAGE_DEFAULT = 200;
export const AUDIT_KEPT_MS = 7 * 24 * 3600_000;
/** Bodies of operator requests. */
export const REQUEST_BYTES_MAX = 16 * 1024;
/** Finished orchestrations are purged after this time. */
export const HISTORY_KEPT_MS = 48 * 3600_000;
/** Looks of an operation that waits for its intent to become possible. */
export const OPERATION_ROUNDS_MAX = 20;
export const OPERATION_WAIT_MS = 5_000;
/** A follower's or leader's view older than this is stale. */
export const VIEW_FRESH_MS = 15_000;
/** What became of a wish is remembered this long after its deadline, and of this many wishes. */
export const CONCLUDED_KEPT_MS = 4 * 3600_000;
export const CONCLUDED_MAX = 200;
/** Looks a staying drill takes at whether it is still wanted. */
export const DRILL_CHECKS_MAX = 20;
export const DRILL_CHECK_MS = 10_000;
/** Targets asked about in one look, one after the other: what is refused leads to the next. */
export const VETO_ROUNDS_MAX = 3;
/** All questions of one look together; a takeover is never delayed for longer. */
export const VETO_TIME_MS = 2_000;
/** Questions at once; a move beyond them counts as not answered. */
export const VETO_ASKS_MAX = 32;
/** A scheduled time this long ago is missed: it is reported, and not made up for. */
export const SCHEDULE_LATE_MS = 120_000;
/** A call to Logs Ingestion holds 1 MB; half of its 12,000 calls a minute are left to the other seat. */
export const SHIP_BYTES_MAX = 900_000;
export const SHIP_CALLS_PER_MINUTE = 6_000;
/** Records named in the report of those that were set aside. */
export const SET_ASIDE_NAMED_MAX = 50;
