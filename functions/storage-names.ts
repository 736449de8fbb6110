// Names of what the control plane keeps in the witness account.

export const LEDGER_CONTAINER = 'anycast-ledger';
export const REPORTS_TABLE = 'anycastreports';
export const PROOFS_TABLE = 'anycastproofs';
export const OUTBOX_TABLE = 'anycastoutbox';

export const ledgerBlob = (group: string): string => `${group}.json`;
export const viewBlob = (group: string, seat: string): string => `${group}-view-${seat}.json`;
