// Route templates: which path goes where, and what is refused.
import { describe, expect, test } from '@jest/globals';
import { matchRoute, parseRoute, sortRoutes } from '../../../../infra/lab/host/route.ts';

const TEMPLATES = [
  'vips',
  'vips/{vip}',
  'vips/{vip}/failover',
  'vips/{id:int}',
  'vips/all',
  'files/{*path}',
  'files/{name:regex(^[a-z]{{2}}$)}',
  'optional/{name?}',
  'ranged/{n:range(1,5)}',
  'guid/{id:guid}',
  'length/{code:length(2,3)}',
  '{kind:alpha}/{id:min(10)}/both',
  '',
];
const routes = sortRoutes(TEMPLATES.map((template) => parseRoute(template, ['get'], template)));

describe('matchRoute', () => {
  test.each([
    ['vips', 'vips', {}],
    ['vips/', 'vips', {}],
    ['VIPS', 'vips', {}],
    ['vips/orders', 'vips/{vip}', { vip: 'orders' }],
    ['vips/orders%2Feast', 'vips/{vip}', { vip: 'orders/east' }],
    ['vips/7', 'vips/{id:int}', { id: '7' }],
    ['vips/99999999999', 'vips/{vip}', { vip: '99999999999' }],
    ['vips/all', 'vips/all', {}],
    ['vips/all/failover', 'vips/{vip}/failover', { vip: 'all' }],
    ['files/a/b/c.txt', 'files/{*path}', { path: 'a/b/c.txt' }],
    ['files', 'files/{*path}', {}],
    ['optional', 'optional/{name?}', {}],
    ['optional/x', 'optional/{name?}', { name: 'x' }],
    ['ranged/5', 'ranged/{n:range(1,5)}', { n: '5' }],
    ['ranged/6', undefined, {}],
    ['guid/0b5a1e1c-9f7e-4f4e-8c3f-0a1b2c3d4e5f', 'guid/{id:guid}', { id: '0b5a1e1c-9f7e-4f4e-8c3f-0a1b2c3d4e5f' }],
    ['guid/nope', undefined, {}],
    ['length/abc', 'length/{code:length(2,3)}', { code: 'abc' }],
    ['length/abcd', undefined, {}],
    ['net/12/both', '{kind:alpha}/{id:min(10)}/both', { kind: 'net', id: '12' }],
    ['net/9/both', undefined, {}],
    ['', '', {}],
    ['nowhere', undefined, {}],
    ['vips/orders/failover/more', undefined, {}],
    ['vips/%zz', undefined, {}],
  ])('%s -> %s', (path, template, params) => {
    const match = matchRoute(routes, 'GET', path);
    expect(match).toEqual(template === undefined ? { type: 'not-found' } : { type: 'found', target: template, params });
  });

  test('a known path with another method names the allowed ones', () => {
    const two = [parseRoute('a', ['GET'], 1), parseRoute('a', ['POST', 'PUT'], 2)];
    expect(matchRoute(two, 'PUT', 'a')).toMatchObject({ type: 'found', target: 2 });
    expect(matchRoute(two, 'DELETE', 'a')).toEqual({ type: 'method-not-allowed', allowed: ['GET', 'POST', 'PUT'] });
  });

  test.each([
    ['a/{id:uuid}', /unknown constraint 'uuid'/],
    ['a/x{id}', /'x\{id\}' is not a parameter/],
    ['a/{}', /is not a parameter/],
  ])('%s is refused', (template, reason) => {
    expect(() => parseRoute(template, [], 0)).toThrow(reason);
  });
});
