// What the data plane writes for HAProxy, nftables, ip and conntrackd: exact texts, and refusals of what is unsafe.
import { describe, expect, test } from '@jest/globals';
import {
  diffTunnelDevice,
  diffVipAddresses,
  isNoChange,
  isTunnelForeign,
  parseDevices,
  parseNeighbours,
  tunnelMac,
} from '../../../nva-agent/dataplane/devices.ts';
import { needsForwarding, renderNftables } from '../../../nva-agent/dataplane/forward-rules.ts';
import { parseStamp, parseStatistics, parseWorkers } from '../../../nva-agent/dataplane/haproxy-answers.ts';
import { needsProxy, proxyNames, renderHaproxy } from '../../../nva-agent/dataplane/haproxy-config.ts';
import {
  parseOwners,
  renderClear,
  renderRefresh,
  renderSecondChance,
} from '../../../nva-agent/dataplane/second-chance-rules.ts';
import { needsSharedSessions, renderConntrackd } from '../../../nva-agent/dataplane/shared-sessions-config.ts';
import { configWith, orders, TUNNEL } from '../../support/data-plane.ts';

const PLACE = { statsSocket: '/var/lib/anycast/haproxy-stats.sock', stamp: 'abc123' };
const dns = orders({
  vip: 'dns-1',
  address: '192.0.2.53',
  mode: 'snat',
  appHost: '10.1.2.53',
  ports: [
    { listen: 53, to: 5353, protocol: 'udp' },
    { listen: 53, to: 5353, protocol: 'tcp' },
  ],
});

describe('HAProxy', () => {
  test('gets one section per port', () => {
    const vip = orders({
      ports: [
        { listen: 80, to: 8080, protocol: 'tcp' },
        { listen: 443, to: 8443, protocol: 'tcp' },
      ],
    });
    expect(renderHaproxy(configWith(vip, dns), PLACE)).toBe(`# Written by anycast-agent, which replaces it whole.
global
    description anycast-agent abc123
    stats socket /var/lib/anycast/haproxy-stats.sock mode 600 level admin expose-fd listeners
    fd-hard-limit 40000
    hard-stop-after 86400s
defaults
    mode tcp
    timeout connect 5s
    retries 2
    option clitcpka
    option srvtcpka
listen orders:80
    bind 192.0.2.10:80
    timeout client 3600s
    timeout server 3600s
    server app 10.1.2.10:8080
listen orders:443
    bind 192.0.2.10:443
    timeout client 3600s
    timeout server 3600s
    server app 10.1.2.10:8443
`);
    expect(proxyNames(configWith(vip, dns))).toEqual(['orders:80', 'orders:443']);
  });

  test('looks names up by the system’s resolvers, and starts without an answer', () => {
    const text = renderHaproxy(configWith(orders({ appHost: 'app.internal' })), PLACE);
    expect(text).toContain('resolvers system\n    parse-resolv-conf\n');
    expect(text).toContain('server app app.internal:8080 resolvers system init-addr last,libc,none\n');
  });

  test.each(['10.0.0.1\n  server evil', '10.0.0.1 check', 'a;b', 'a#b', ''])('is never told %j', (appHost) => {
    expect(() => renderHaproxy(configWith(orders({ appHost })), PLACE)).toThrow(RangeError);
  });

  test('is not needed for vips that the kernel forwards', () => {
    expect(needsProxy(configWith(dns))).toBe(false);
    expect(needsForwarding(configWith(orders()))).toBe(false);
  });
});

describe('HAProxy’s answers', () => {
  test('name its workers, old ones apart', () => {
    const text = `#<PID>          <type>          <reloads>       <uptime>        <version>
1162            master          5 [failed: 0]   0d00h02m07s     2.6.12
# workers
1271            worker          1               0d00h00m00s     2.6.12
# old workers
1233            worker          3               0d00h00m43s     2.6.12
# programs

`;
    expect(parseWorkers(text)).toEqual({ current: [1271], old: [1233] });
    expect(parseWorkers('Unknown command')).toEqual({ current: [], old: [] });
  });
  test('say whether it is ours', () => {
    expect(parseStamp('Name: HAProxy\nDescription: anycast-agent abc123\nNode: x\n')).toBe('abc123');
    expect(parseStamp('Name: HAProxy\ndescription: web farm\n')).toBeUndefined();
  });
  test('count by frontend, whatever the order of columns', () => {
    const csv = '# pxname,svname,scur,stot,bin,bout\norders:80,FRONTEND,2,9,100,2000\norders:80,app,1,9,100,2000\n';
    expect(parseStatistics(csv)).toEqual([
      { proxy: 'orders:80', vip: 'orders', established: 2, total: 9, bytesIn: 100, bytesOut: 2000 },
    ]);
  });
});

describe('nftables', () => {
  test('translates, hides and counts in a table of its own, replaced in one transaction', () => {
    const text = renderNftables(
      configWith(orders(), dns, orders({ vip: 'web', address: '192.0.2.11', mode: 'dnat-udr' })),
    );
    expect(
      text.startsWith('table ip anycast_agent {}\ndelete table ip anycast_agent\ntable ip anycast_agent {\n'),
    ).toBe(true);
    expect(text).toContain('ip daddr 192.0.2.53 udp dport 53 counter name "dns_1_new" dnat to 10.1.2.53:5353');
    expect(text).toContain('ct original ip daddr 192.0.2.53 ct status dnat masquerade');
    expect(text).not.toContain('ct original ip daddr 192.0.2.11 ct status dnat masquerade');
    expect(text).not.toContain('192.0.2.10');
    expect(text).not.toContain('drop');
  });
  test('holds early packets back where sessions are shared', () => {
    const text = renderNftables(configWith(orders({ mode: 'dnat-udr', symmetry: 'shared-sessions' })));
    expect(text).toContain('ip daddr 192.0.2.10 ct state invalid drop');
    expect(text).toContain('ip saddr 10.1.2.10 tcp sport 8080 ct state { invalid, new } drop');
  });
  test.each(['app.internal', '10.0.0.1; drop', '10.0.0.1\n}'])('is never told %j', (appHost) => {
    expect(() => renderNftables(configWith(orders({ mode: 'snat', appHost })))).toThrow(RangeError);
  });
});

describe('second chances', () => {
  const config = {
    ...configWith(orders({ secondChance: { capSeconds: 60, peers: ['ne-nva-1'] } }), dns),
    tunnel: TUNNEL,
  };
  test('start with nobody as owner, for their own vips only', () => {
    const text = renderSecondChance(config, TUNNEL);
    expect(text).toContain('map owners { type ipv4_addr : ipv4_addr; flags timeout; }');
    expect(text).toContain('set served { type ipv4_addr; elements = { 192.0.2.10 }; }');
    expect(text).toContain('established : 3660, time_wait : 3, close : 3');
    expect(text).toContain('maxseg size set 1410');
    expect(text).not.toContain('192.0.2.53');
  });
  test('are refreshed by restarting the clock, and cleared without minding what ran out', () => {
    const elements = [{ address: '192.0.2.10', innerAddress: '169.254.92.2' }];
    expect(renderRefresh(elements).split('\n')).toEqual([
      'add element ip anycast_second_chance owners { 192.0.2.10 timeout 2s : 169.254.92.2 }',
      'delete element ip anycast_second_chance owners { 192.0.2.10 }',
      'add element ip anycast_second_chance owners { 192.0.2.10 timeout 2s : 169.254.92.2 }',
      '',
    ]);
    expect(renderClear(elements).split('\n')).toEqual([
      'add element ip anycast_second_chance owners { 192.0.2.10 timeout 2s : 169.254.92.2 }',
      'delete element ip anycast_second_chance owners { 192.0.2.10 }',
      '',
    ]);
    expect(renderRefresh([])).toBe('');
  });
  test('are read back from the kernel', () => {
    const element = [{ elem: { val: '192.0.2.10', timeout: 2, expires: 1 } }, '169.254.92.2'];
    const json = (elem: unknown) => JSON.stringify({ nftables: [{ metainfo: {} }, { map: { name: 'owners', elem } }] });
    expect([...parseOwners(json([element]))]).toEqual([['192.0.2.10', '169.254.92.2']]);
    expect(parseOwners(json(undefined)).size).toBe(0);
  });
});

describe('addresses', () => {
  const show = (addresses: object[]) =>
    parseDevices(JSON.stringify([{ ifname: 'lo', flags: ['UP'], mtu: 65536, addr_info: addresses }]));
  const of = (local: string, label: string) => ({ family: 'inet', local, prefixlen: 32, label });
  test('are added, kept and taken away; what has no label of ours stays', () => {
    const config = configWith(orders());
    expect(diffVipAddresses(show([]), config).ip).toEqual(['addr add 192.0.2.10/32 dev lo label lo:anycast']);
    expect(isNoChange(diffVipAddresses(show([of('192.0.2.10', 'lo:anycast')]), config))).toBe(true);
    expect(isNoChange(diffVipAddresses(show([of('192.0.2.10', 'lo')]), config))).toBe(true);
    expect(diffVipAddresses(show([of('192.0.2.9', 'lo:anycast'), of('192.0.2.8', 'lo')]), configWith()).ip).toEqual([
      'addr del 192.0.2.9/32 dev lo',
    ]);
  });
});

describe('the tunnel', () => {
  const device = {
    ifname: 'anycast1',
    ifalias: 'anycast-agent',
    flags: ['UP'],
    mtu: 1450,
    linkinfo: { info_kind: 'vxlan', info_data: { id: 92, port: 4789, local: '10.1.1.4' } },
    addr_info: [{ family: 'inet', local: '169.254.92.1', prefixlen: 24, label: 'anycast1' }],
  };
  const neighbours = parseNeighbours(
    JSON.stringify([{ dst: '169.254.92.2', lladdr: '02:5c:0a:02:01:04' }]),
    JSON.stringify([{ mac: '02:5c:0a:02:01:04', dst: '10.2.1.4' }]),
  );
  const devices = parseDevices(JSON.stringify([device]));

  test('knows every NVA by a MAC of its address', () => {
    expect(tunnelMac('10.2.1.4')).toBe('02:5c:0a:02:01:04');
  });
  test('is left alone when it stands', () => {
    expect(isNoChange(diffTunnelDevice(devices, neighbours, TUNNEL))).toBe(true);
  });
  test('is made from nothing', () => {
    expect(diffTunnelDevice([], [], TUNNEL)).toEqual({
      ip: [
        'link add anycast1 address 02:5c:0a:01:01:04 mtu 1450 type vxlan id 92 local 10.1.1.4 dstport 4789 nolearning ttl 64 df set',
        'link set anycast1 alias anycast-agent',
        'addr add 169.254.92.1/24 dev anycast1',
        'link set anycast1 up',
        'neigh replace 169.254.92.2 lladdr 02:5c:0a:02:01:04 dev anycast1 nud permanent',
      ],
      bridge: ['fdb replace 02:5c:0a:02:01:04 dev anycast1 dst 10.2.1.4'],
    });
  });
  test.each([
    ['another size', { ...TUNNEL, mtu: 1400 }],
    ['another network number', { ...TUNNEL, vni: 93 }],
    ['another port', { ...TUNNEL, port: 4790 }],
  ])('is made anew for %s', (_what, tunnel) => {
    expect(diffTunnelDevice(devices, neighbours, tunnel).ip[0]).toBe('link del anycast1');
  });
  test('exchanges a peer without being made anew', () => {
    const peers = [{ nva: 'x', address: '10.3.1.4', innerAddress: '169.254.92.3' }];
    expect(diffTunnelDevice(devices, neighbours, { ...TUNNEL, peers })).toEqual({
      ip: [
        'neigh del 169.254.92.2 dev anycast1',
        'neigh replace 169.254.92.3 lladdr 02:5c:0a:03:01:04 dev anycast1 nud permanent',
      ],
      bridge: [
        'fdb del 02:5c:0a:02:01:04 dev anycast1 dst 10.2.1.4',
        'fdb replace 02:5c:0a:03:01:04 dev anycast1 dst 10.3.1.4',
      ],
    });
  });
  test('goes when it is not wanted, and is not ours without our alias', () => {
    expect(diffTunnelDevice(devices, neighbours, undefined).ip).toEqual(['link del anycast1']);
    expect(isTunnelForeign(devices)).toBe(false);
    expect(isTunnelForeign(parseDevices(JSON.stringify([{ ...device, ifalias: undefined }])))).toBe(true);
  });
});

describe('conntrackd', () => {
  const shared = orders({ mode: 'dnat-udr', symmetry: 'shared-sessions' });
  const place = { interface: 'eth0', controlSocket: '/x/ctl', lockFile: '/x/lock' };
  test('sends the connections of shared vips to the other NVA only', () => {
    const config = { ...configWith(shared, dns), sessionPeer: { nva: 'we-nva-2', address: '10.1.1.5' } };
    expect(needsSharedSessions(config)).toBe(true);
    const text = renderConntrackd(config, place);
    expect(text).toContain('IPv4_Destination_Address 10.1.1.5');
    expect(text).toContain('      IPv4_address 10.1.2.10\n');
    expect(text).not.toContain('10.1.2.53');
  });
  test('is not needed without a neighbour', () => {
    expect(needsSharedSessions(configWith(shared))).toBe(false);
    expect(() => renderConntrackd(configWith(shared), place)).toThrow(RangeError);
  });
});
