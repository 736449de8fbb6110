// Which vips are served as the machine stands, for each part that may be missing.
import { expect, test } from '@jest/globals';
import { renderNftables } from '../../../nva-agent/dataplane/forward-rules.ts';
import { type Standing, servedVips } from '../../../nva-agent/dataplane/served.ts';
import { configWith, orders } from '../../support/data-plane.ts';

const addresses = [{ address: '192.0.2.10/32' }, { address: '192.0.2.20/32' }, { address: '192.0.2.30/32' }];
const proxied = orders();
const forwarded = orders({ vip: 'billing', address: '192.0.2.20', mode: 'snat' });
const sharing = orders({ vip: 'voice', address: '192.0.2.30', mode: 'dnat-udr', symmetry: 'shared-sessions' });
const config = configWith(proxied, forwarded, sharing);
const all: Standing = {
  devices: [{ name: 'lo', isUp: true, mtu: 65536, addresses }],
  proxies: new Set(['orders:80']),
  forwardTable: renderNftables(config),
  forwards: true,
  sharesSessions: true,
};

test.each<[string, Partial<Standing>, string[]]>([
  ['everything stands', {}, ['orders', 'billing', 'voice']],
  ['the proxy has no such section', { proxies: new Set(['other:80']) }, ['billing', 'voice']],
  ['the table is gone', { forwardTable: undefined }, ['orders']],
  [
    'the table is of another configuration',
    { forwardTable: renderNftables(configWith(forwarded)) },
    ['orders', 'billing'],
  ],
  ['the kernel does not forward', { forwards: false }, ['orders']],
  ['sessions are not shared', { sharesSessions: false }, ['orders', 'billing']],
  ['the addresses are gone', { devices: [{ name: 'lo', isUp: true, mtu: 65536, addresses: [] }] }, []],
  ['the addresses stand on another interface', { devices: [{ name: 'eth0', isUp: true, mtu: 1500, addresses }] }, []],
])('%s', (_, change, served) => expect(servedVips(config, { ...all, ...change })).toEqual(served));
