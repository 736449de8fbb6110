// Proofs and learned routes in Azure Table Storage: one partition per group, shared by all seats.
import { odata, type TableClient } from '@azure/data-tables';
import { OperatingError } from '../../shared/errors.ts';
import type { LearnedEvidence, PeerStatus, SeatApps } from '../engine/types.ts';
import type { ProofStore, RegionProof } from '../ports.ts';
import { pack, unpack } from './packed.ts';
import { inTime, withTable } from './storage-account.ts';

export function createTableProofs(table: TableClient): ProofStore {
  const put = (what: string, group: string, rowKey: string, value: unknown) =>
    withTable(table, what, async () => {
      const columns = pack(value);
      if (columns === undefined)
        throw new OperatingError('too-large', `${rowKey} does not fit a row`, { retryable: false });
      await table.upsertEntity({ partitionKey: group, rowKey, ...columns }, 'Replace', inTime());
    });

  return {
    putProof: (group, proof) => put('proof-write', group, `proof:${proof.vip}:${proof.region}`, proof),
    putLearned: (group, nva, learned) => put('proof-write', group, `learned:${nva}`, learned),
    putPeerStatus: (group, region, status) => put('proof-write', group, `peers:${region}`, status),
    putApps: (group, seat, apps) => put('proof-write', group, `apps:${seat}`, apps),
    read: (group) =>
      withTable(table, 'proof-read', async () => {
        const proofs: RegionProof[] = [];
        const learned: Record<string, LearnedEvidence> = {};
        const peerStatus: Record<string, PeerStatus> = {};
        const apps: Record<string, SeatApps> = {};
        const queryOptions = { filter: odata`PartitionKey eq ${group}` };
        for await (const row of table.listEntities<Record<string, unknown>>({ queryOptions, ...inTime() })) {
          const key = String(row.rowKey);
          if (key.startsWith('proof:')) proofs.push(unpack(row) as RegionProof);
          else if (key.startsWith('learned:')) learned[key.slice('learned:'.length)] = unpack(row) as LearnedEvidence;
          else if (key.startsWith('peers:')) peerStatus[key.slice('peers:'.length)] = unpack(row) as PeerStatus;
          else if (key.startsWith('apps:')) apps[key.slice('apps:'.length)] = unpack(row) as SeatApps;
        }
        return { proofs, learned, peerStatus, apps };
      }),
  };
}
