// Orders on disk: kept, damaged, refused, and a disk that is full.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadOrders, persistOrder, type StateDisk } from '../../../nva-agent/control/order-store.ts';
import { makeOrder } from '../order-draft.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anycast-orders-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = () => join(folder, 'order-default.json');
const load = () => loadOrders(folder, 'we-nva-1');

describe('the order store', () => {
  test('keeps one order per group and reads them again', async () => {
    const [one, other] = [makeOrder(), makeOrder({ group: 'other', generation: 7 })];
    await persistOrder(folder, one);
    await persistOrder(folder, other);
    await persistOrder(folder, { ...one, generation: 2 });
    expect(await load()).toEqual({ orders: [{ ...one, generation: 2 }, other], refused: [] });
  });

  test('an empty directory is a first start', async () => {
    expect(await load()).toEqual({ orders: [], refused: [] });
  });

  test.each<[string, (text: string) => string, string]>([
    ['cut short, as by a full disk without atomic writes', (text) => text.slice(0, text.length / 2), 'not JSON'],
    ['one digit changed', (text) => text.replace('\\"rung\\":4', '\\"rung\\":3'), 'checksum does not match'],
    ['empty', () => '', 'not JSON'],
    ['something else', () => '[]', 'not an order file'],
    ['of another NVA', (text) => text, 'for ne-nva-1, this is we-nva-1'],
  ])('a file that is %s is refused and left in place', async (name, damage, why) => {
    await persistOrder(folder, makeOrder(name === 'of another NVA' ? { to: 'ne-nva-1' } : {}));
    writeFileSync(path(), damage(readFileSync(path(), 'utf8')));
    expect(await load()).toEqual({ orders: [], refused: [{ file: 'order-default.json', why }] });
    expect(readdirSync(folder)).toContain('order-default.json');
  });

  test('a file under the wrong name is refused', async () => {
    await persistOrder(folder, makeOrder());
    writeFileSync(join(folder, 'order-other.json'), readFileSync(path(), 'utf8'));
    expect((await load()).refused).toEqual([{ file: 'order-other.json', why: 'belongs to group default' }]);
  });

  test('what a killed write left behind is not read, and the old order still is', async () => {
    await persistOrder(folder, makeOrder());
    writeFileSync(`${path()}.123456`, '{"v":1,"sha256":"');
    expect((await load()).orders).toHaveLength(1);
  });

  test('a full disk is an operating error; the old order stays', async () => {
    await persistOrder(folder, makeOrder());
    const full: StateDisk = { write: () => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' })) };
    await expect(persistOrder(folder, makeOrder({ generation: 2 }), full)).rejects.toMatchObject({
      code: 'not-persisted',
      retryable: true,
    });
    expect((await load()).orders).toMatchObject([{ generation: 1 }]);
  });

  test('a directory that is gone is an operating error too', async () => {
    await expect(persistOrder(join(folder, 'gone'), makeOrder())).rejects.toMatchObject({ code: 'not-persisted' });
  });
});
