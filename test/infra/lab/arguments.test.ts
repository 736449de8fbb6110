// The lab's command line: defaults, ranges, everything wrong at once.
import { expect, test } from '@jest/globals';
import { parseLabArguments } from '../../../infra/lab/arguments.ts';

test('has the ports of the documentation by default', () => {
  expect(parseLabArguments([])).toMatchObject({
    ok: true,
    value: { port: 7071, controlPort: 7070, seats: 1, demo: false, clientMs: 20, routeChangeSeconds: 0 },
  });
});
test('takes every option', () => {
  const args = ['--demo', '--keep', '--port', '0', '--control-port', '0', '--seats', '2', '--topology', 'x.yaml'];
  expect(parseLabArguments([...args, '--client-ms', '50', '--route-change-seconds', '30'])).toMatchObject({
    ok: true,
    value: { demo: true, keep: true, port: 0, seats: 2, topology: 'x.yaml', clientMs: 50, routeChangeSeconds: 30 },
  });
});
test('lists every number that is out of range', () => {
  const parsed = parseLabArguments(['--port', '70000', '--seats', '0', '--client-ms', 'soon']);
  expect(parsed.ok ? [] : parsed.error.map((finding) => finding.path)).toEqual(['--port', '--seats', '--client-ms']);
});
test('refuses what it does not know', () => {
  expect(parseLabArguments(['--fast'])).toMatchObject({ ok: false });
  expect(parseLabArguments(['something'])).toMatchObject({ ok: false });
});
