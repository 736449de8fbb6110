// Reports and proofs in memory.
import type { ProofStore, RegionProof, ReportStore, StoredEvidence, StoredProofs } from '../../ports.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends object ? Record<string, T[K][keyof T[K]]> : T[K] };

/** What a store hands out is a copy: nobody's later change is seen by who read before. */
const copy = <T>(value: T): T => structuredClone(value);

export function createMemoryReports(): ReportStore {
  const groups = new Map<string, Mutable<StoredEvidence>>();
  const of = (group: string): Mutable<StoredEvidence> => {
    const known = groups.get(group) ?? { reports: {}, observers: {}, probes: {}, signals: {}, vetoes: {} };
    groups.set(group, known);
    return known;
  };
  return {
    async putReport(group, receivedAtMs, report) {
      of(group).reports[report.nva] = copy({ receivedAtMs, report });
    },
    async putObserverReport(group, receivedAtMs, report) {
      of(group).observers[report.observer] = copy({ receivedAtMs, report });
    },
    async putProbe(group, nva, probe) {
      of(group).probes[nva] = copy(probe);
    },
    async putSignals(group, vip, signals) {
      of(group).signals[vip] = copy(signals);
    },
    async putVeto(group, vip, veto) {
      of(group).vetoes[vip] = copy(veto);
    },
    read: async (group) => copy(of(group)),
    heard: async (group) =>
      Object.fromEntries(Object.entries(of(group).reports).map(([nva, { receivedAtMs }]) => [nva, receivedAtMs])),
  };
}

export function createMemoryProofs(): ProofStore {
  const proofs = new Map<string, RegionProof & { readonly group: string }>();
  const learned = new Map<string, Record<string, StoredProofs['learned'][string]>>();
  const peerStatus = new Map<string, StoredProofs['peerStatus']>();
  const apps = new Map<string, NonNullable<StoredProofs['apps']>>();
  return {
    async putProof(group, proof) {
      proofs.set(`${group}|${proof.vip}|${proof.region}`, copy({ ...proof, group }));
    },
    async putLearned(group, nva, evidence) {
      learned.set(group, { ...learned.get(group), [nva]: copy(evidence) });
    },
    async putPeerStatus(group, region, status) {
      peerStatus.set(group, { ...peerStatus.get(group), [region]: copy(status) });
    },
    async putApps(group, seat, seen) {
      apps.set(group, { ...apps.get(group), [seat]: copy(seen) });
    },
    read: async (group) => ({
      proofs: [...proofs.values()]
        .filter((proof) => proof.group === group)
        .map(({ group: _group, ...proof }) => copy(proof)),
      learned: copy(learned.get(group) ?? {}),
      peerStatus: copy(peerStatus.get(group) ?? {}),
      apps: copy(apps.get(group) ?? {}),
    }),
  };
}
