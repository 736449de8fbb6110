// One contract for every store, kept by the in-memory ones and by the real ones on Azurite.
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createBlobLedger } from '../../../functions/adapters/blob-ledger.ts';
import { createMemoryProofs, createMemoryReports } from '../../../functions/adapters/memory/memory-evidence.ts';
import { createMemoryLedger } from '../../../functions/adapters/memory/memory-ledger.ts';
import { createMemoryOutbox } from '../../../functions/adapters/memory/memory-outbox.ts';
import { containerOf, tableOf } from '../../../functions/adapters/storage-account.ts';
import { systemClock } from '../../../functions/adapters/system-clock.ts';
import { createTableOutbox } from '../../../functions/adapters/table-outbox.ts';
import { createTableProofs } from '../../../functions/adapters/table-proofs.ts';
import { createTableReports } from '../../../functions/adapters/table-reports.ts';
import { chainRecords } from '../../../functions/audit-chain.ts';
import { draft } from '../../../functions/audit-drafts.ts';
import { leaseIdOf } from '../../../functions/lead.ts';
import type { LedgerStore, Outbox, ProofStore, ReportStore } from '../../../functions/ports.ts';
import { type AuditRecord, CHAIN_START } from '../../../shared/audit.ts';
import type { Report } from '../../../shared/report.ts';
import { type Azurite, startAzurite } from '../../support/azurite.ts';
import { reportOf, START_MS, testTopology } from '../../support/plane.ts';

interface Stores {
  readonly ledger: LedgerStore;
  readonly reports: ReportStore;
  readonly otherSeatsReports: ReportStore;
  readonly proofs: ProofStore;
  readonly outbox: Outbox;
}

let azurite: Azurite;
let real: Stores;
const memory: Stores = {
  ledger: createMemoryLedger(systemClock),
  reports: createMemoryReports(),
  otherSeatsReports: createMemoryReports(),
  proofs: createMemoryProofs(),
  outbox: createMemoryOutbox(),
};

beforeAll(async () => {
  azurite = await startAzurite();
  const account = { type: 'connection-string', text: azurite.connectionString } as const;
  real = {
    ledger: createBlobLedger(containerOf(account, 'anycast-ledger'), ['seat-a', 'seat-b', 'seat-c', 'seat-d']),
    reports: createTableReports(tableOf(account, 'anycastreports'), 'seat-a'),
    otherSeatsReports: createTableReports(tableOf(account, 'anycastreports'), 'seat-b'),
    proofs: createTableProofs(tableOf(account, 'anycastproofs')),
    outbox: createTableOutbox(tableOf(account, 'anycastoutbox')),
  };
}, 60_000);
afterAll(() => azurite?.stop());

const [A, B] = [leaseIdOf('seat-a', 'default'), leaseIdOf('seat-b', 'default')];

function records(count: number, epoch = 1, first = -1): AuditRecord[] {
  const drafts = Array.from({ length: count }, (_, i) =>
    draft(START_MS + i, i % 3 === 0 ? 'order' : 'decision', {
      Vip: i % 2 === 0 ? 'orders' : 'billing',
      Reason: `r${i}`,
    }),
  );
  return chainRecords(drafts, { epoch, index: first, hash: CHAIN_START }, 'g', 'seat-a').records;
}

const kinds: [string, () => Stores][] = [
  ['memory', () => memory],
  ['Azurite', () => real],
];

describe.each(kinds)('%s', (_name, stores) => {
  describe('ledger', () => {
    test('is absent at first, is created once, and keeps what was committed on top of what was read', async () => {
      const { ledger } = stores();
      expect(await ledger.read('one')).toEqual({ type: 'absent' });
      expect(await ledger.hold('one', A)).toBe('absent');
      expect(await ledger.create('one', '{"n":1}')).toBe(true);
      expect(await ledger.create('one', '{"n":2}')).toBe(false);
      expect(await ledger.hold('one', A)).toBe('held');
      const found = await ledger.read('one');
      if (found.type !== 'found') throw new Error('absent');
      expect(found.text).toBe('{"n":1}');
      expect(await ledger.commit('one', '{"n":3}', { etag: found.etag, leaseId: A })).toBe('committed');
      expect(await ledger.commit('one', '{"n":4}', { etag: found.etag, leaseId: A })).toBe('conflict');
      expect(await ledger.read('one')).toMatchObject({ text: '{"n":3}' });
    });

    test('another seat neither takes a live lease nor commits without it; the same seat renews its own', async () => {
      const { ledger } = stores();
      await ledger.create('two', '{}');
      expect(await ledger.hold('two', A)).toBe('held');
      expect(await ledger.hold('two', A)).toBe('held');
      expect(await ledger.hold('two', B)).toBe('taken');
      const found = await ledger.read('two');
      if (found.type !== 'found') throw new Error('absent');
      expect(await ledger.commit('two', '{"n":9}', { etag: found.etag, leaseId: B })).toBe('lease-lost');
      expect(await ledger.read('two')).toMatchObject({ text: '{}' });
    });

    test('keeps the views of seats apart and by group', async () => {
      const { ledger } = stores();
      const view = { region: 'r', atMs: 5, heardAtMs: { n: 4 }, leads: true, decidedAtMs: 5 };
      await ledger.writeView('views', { ...view, seat: 'seat-a' });
      await ledger.writeView('views', { ...view, seat: 'seat-b', leads: false });
      await ledger.writeView('other', { ...view, seat: 'seat-c' });
      const views = await ledger.readViews('views');
      expect(views.map(({ seat, leads }) => [seat, leads]).sort()).toEqual([
        ['seat-a', true],
        ['seat-b', false],
      ]);
      expect((await ledger.readViews('views', 'seat-a')).map(({ seat }) => seat)).toEqual(['seat-b']);
    });
  });

  describe('reports', () => {
    const topology = testTopology();
    const agent = {
      order: undefined,
      verdict: 'healthy',
      isDead: false,
      refusesWith: undefined,
      delivered: 0,
    } as const;

    test('the newest of each source is kept, and one seat does not see what another heard', async () => {
      const { reports, otherSeatsReports } = stores();
      const first = reportOf(topology, 'we-nva-1', agent, 1, 1);
      const newest = reportOf(topology, 'we-nva-1', agent, 2, 2);
      await reports.putReport('default', 1, first);
      await reports.putReport('default', 2, newest);
      await reports.putProbe('default', 'we-nva-1', { atMs: 3, outcome: 'failed' });
      await reports.putSignals('default', 'orders', { westeurope: { atMs: 4, verdict: 'healthy' } });
      await reports.putObserverReport('default', 5, {
        ...{ v: 1, observer: 'hq', group: 'default', bootId: 'b', seq: 1, atMs: 5, transition: false, vips: [] },
      });
      const found = await reports.read('default');
      expect(found.reports).toEqual({ 'we-nva-1': { receivedAtMs: 2, report: newest } });
      expect(found.probes).toEqual({ 'we-nva-1': { atMs: 3, outcome: 'failed' } });
      expect(found.signals).toEqual({ orders: { westeurope: { atMs: 4, verdict: 'healthy' } } });
      expect(found.observers.hq?.receivedAtMs).toBe(5);
      expect(await reports.heard('default')).toEqual({ 'we-nva-1': 2 });
      expect(await otherSeatsReports.heard('default')).toEqual({});
    });

    test('a report of thousands of vips fits', async () => {
      const { reports } = stores();
      const small = reportOf(topology, 'ne-nva-1', agent, 1, 1);
      const vips = Array.from({ length: 2500 }, (_, i) => ({ ...small.vips[0], vip: `vip-${i}` })) as Report['vips'];
      await reports.putReport('large', 1, { ...small, group: 'large', vips });
      const found = await reports.read('large');
      expect(found.reports['ne-nva-1']?.report.vips).toHaveLength(2500);
    });
  });

  test('proofs: the newest per vip and region, learned routes per NVA', async () => {
    const { proofs } = stores();
    const step = { proof: 'proved', detail: '', atMs: 1 } as const;
    const steps = { agent: step, routeServer: step, circuit: step, observer: step };
    await proofs.putProof('g', { vip: 'orders', region: 'a', decisionId: 'd1', steps });
    await proofs.putProof('g', { vip: 'orders', region: 'a', decisionId: 'd2', steps });
    await proofs.putLearned('g', 'nva', { atMs: 7, peers: { '10.1.0.4': { '192.0.2.10/32': [65001] } } });
    const found = await proofs.read('g');
    expect(found.proofs.map((proof) => proof.decisionId)).toEqual(['d2']);
    expect(found.learned.nva?.peers['10.1.0.4']).toEqual({ '192.0.2.10/32': [65001] });
    const status = { atMs: 8, peers: { '10.1.1.4': { RouteServiceRole_IN_0: { isUp: true, atMs: 5 } } } };
    await proofs.putPeerStatus('g', 'a', { ...status, atMs: 6 });
    await proofs.putPeerStatus('g', 'a', status);
    expect((await proofs.read('g')).peerStatus).toEqual({ a: status });
    expect((await proofs.read('elsewhere')).peerStatus).toEqual({});
    expect((await proofs.read('elsewhere')).proofs).toEqual([]);
  });

  describe('outbox', () => {
    test('keeps chain order over epochs, once per record, and knows what it has', async () => {
      const { outbox } = stores();
      const [first, second] = [records(250), records(3, 2)];
      await outbox.append('g', first);
      await outbox.append('g', first.slice(0, 10));
      await outbox.append('g', second);
      expect(await outbox.depth('g')).toBe(253);
      const unshipped = await outbox.unshipped('g', 1000);
      expect(unshipped.map((record) => record.EventId)).toEqual([...first, ...second].map((record) => record.EventId));
      expect(await outbox.has('g', second[2] as AuditRecord)).toBe(true);
      expect(await outbox.has('g', records(4, 2)[3] as AuditRecord)).toBe(false);
    });

    test('hands out what is not shipped yet, after a failure the same again', async () => {
      const { outbox } = stores();
      const batch = await outbox.unshipped('g', 200);
      expect(await outbox.unshipped('g', 200)).toEqual(batch);
      await outbox.setAside('g', batch[3] as AuditRecord, 'too odd');
      await outbox.markShipped('g', batch, 1_000);
      expect(await outbox.depth('g')).toBe(53);
      expect((await outbox.unshipped('g', 1))[0]?.EventId).toBe('g-1-200');
    });

    test('pages forwards, filters, and purges only what arrived long ago', async () => {
      const { outbox } = stores();
      const page = await outbox.page({ group: 'g', limit: 100 });
      expect(page.records).toHaveLength(100);
      const next = await outbox.page({ group: 'g', limit: 1000, after: String(page.next) });
      expect(next.records[0]?.EventId).toBe('g-1-100');
      expect(next.next).toBeNull();
      const filtered = await outbox.page({ group: 'g', limit: 1000, vip: 'billing', kind: 'order' });
      expect(filtered.records.length).toBeGreaterThan(10);
      expect(filtered.records.every((record) => record.Vip === 'billing' && record.Kind === 'order')).toBe(true);
      expect(await outbox.purge('g', 500)).toBe(0);
      expect(await outbox.purge('g', 1_001)).toBe(200);
      expect((await outbox.page({ group: 'g', limit: 1000 })).records).toHaveLength(53);
    });
  });
});

test('a connection that was closed for being idle costs a second try, not an error', async () => {
  let resets = 0;
  // Forwards, and resets a connection at its second request: what a front end does to one that was idle too long.
  const open = new Set<Socket>();
  const edge = (port: number) =>
    createServer((near) => {
      const far = connect(port, '127.0.0.1');
      open.add(near);
      let requests = 0;
      near.on('data', (chunk) => {
        requests += /^[A-Z]+ \//.test(chunk.toString('latin1')) ? 1 : 0;
        resets += requests > 1 ? 1 : 0;
        if (requests > 1) near.resetAndDestroy();
        else far.write(chunk);
      });
      far.on('data', (chunk) => near.write(chunk));
      far.on('error', () => near.destroy());
      near.on('error', () => far.destroy());
      near.on('close', () => far.destroy());
    });
  const edges: Server[] = [];
  let text = azurite.connectionString;
  for (const [endpoint, port] of azurite.connectionString.matchAll(/127\.0\.0\.1:(\d+)/g)) {
    const server = edge(Number(port));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    edges.push(server);
    text = text.replace(endpoint, `127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
  try {
    const account = { type: 'connection-string', text } as const;
    const ledger = createBlobLedger(containerOf(account, 'anycast-ledger'), []);
    const outbox = createTableOutbox(tableOf(account, 'anycastoutbox'));
    await outbox.append('idle', records(1));
    for (let call = 0; call < 5; call += 1) {
      expect((await ledger.read('one')).type).toBe('found');
      expect(await outbox.depth('idle')).toBe(1);
    }
    expect(resets).toBeGreaterThan(3);
  } finally {
    for (const server of edges) server.close();
    for (const socket of open) socket.destroy();
  }
}, 30_000);

test('a lease renewed a moment ago is not asked for again, and a commit tells when it was lost all the same', async () => {
  const text = azurite.connectionString;
  const container = containerOf({ type: 'connection-string', text }, 'anycast-ledger');
  const ledger = createBlobLedger(container, []);
  await ledger.create('broken', '{}');
  expect(await ledger.hold('broken', A)).toBe('held');
  await container.getBlobClient('broken.json').getBlobLeaseClient().breakLease(0);
  expect(await ledger.hold('broken', A)).toBe('held');
  const found = await ledger.read('broken');
  if (found.type !== 'found') throw new Error('absent');
  expect(await ledger.commit('broken', '{"n":1}', { etag: found.etag, leaseId: A })).toBe('lease-lost');
  // It is asked for anew from then on.
  expect(await ledger.hold('broken', A)).toBe('held');
  expect(await ledger.commit('broken', '{"n":1}', { etag: found.etag, leaseId: A })).toBe('committed');
});

test('storage that does not answer is an operating error in bounded time, and everything goes on afterwards', async () => {
  azurite.pause();
  const begunMs = performance.now();
  await expect(real.ledger.read('one')).rejects.toMatchObject({
    name: 'OperatingError',
    code: 'ledger-read',
    retryable: true,
  });
  await expect(real.outbox.depth('g')).rejects.toMatchObject({ name: 'OperatingError' });
  expect(performance.now() - begunMs).toBeLessThan(15_000);
  azurite.resume();
  // The first calls may meet connections that broke meanwhile.
  const answered = async () => (await real.ledger.read('one').catch(() => undefined))?.type;
  const deadline = performance.now() + 10_000;
  while ((await answered()) !== 'found') expect(performance.now()).toBeLessThan(deadline);
}, 30_000);
