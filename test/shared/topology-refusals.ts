// Every refusal of anycast.yaml, one row each: how the sound example is bent, where the finding points, and its code.
import type { Draft } from '../support/topology.ts';

export const REFUSALS: readonly [name: string, bend: (draft: Draft) => void, path: string, code: string][] = [
  [
    'vip prefix inside an Azure space',
    (d) => {
      d.vips[0].prefix = '10.1.9.9/32';
    },
    'vips[0].prefix',
    'prefix-overlap',
  ],
  [
    'vip prefix around an Azure space',
    (d) => {
      d.vips[0].prefix = '10.0.0.0/8';
    },
    'vips[0].prefix',
    'prefix-overlap',
  ],
  [
    'vip prefix inside an on-premises space',
    (d) => {
      d.vips[0].prefix = '10.200.1.1/32';
    },
    'vips[0].prefix',
    'prefix-overlap',
  ],
  [
    'vip prefix of another vip',
    (d) => {
      d.vips[1].prefix = d.vips[0].prefix;
    },
    'vips[1].prefix',
    'prefix-overlap',
  ],
  [
    'four-octet NVA ASN',
    (d) => {
      d.regions[0].nvas[0].asn = 70000;
    },
    'regions[0].nvas[0].asn',
    'asn-reserved',
  ],
  [
    'NVA ASN reserved by Azure',
    (d) => {
      d.regions[0].nvas[0].asn = 65520;
    },
    'regions[0].nvas[0].asn',
    'asn-reserved',
  ],
  [
    'NVA ASN reserved by IANA',
    (d) => {
      d.regions[0].nvas[0].asn = 64500;
    },
    'regions[0].nvas[0].asn',
    'asn-reserved',
  ],
  [
    'AS_TRANS as NVA ASN',
    (d) => {
      d.regions[0].nvas[0].asn = 23456;
    },
    'regions[0].nvas[0].asn',
    'asn-reserved',
  ],
  [
    '65515 as NVA ASN',
    (d) => {
      d.regions[0].nvas[0].asn = 65515;
    },
    'regions[0].nvas[0].asn',
    'asn-forbidden-in-path',
  ],
  [
    '65515 as prepend ASN',
    (d) => {
      d.prepend.asn = 65515;
    },
    'prepend.asn',
    'asn-forbidden-in-path',
  ],
  [
    '12076 as prepend ASN',
    (d) => {
      d.prepend.asn = 12076;
    },
    'prepend.asn',
    'asn-forbidden-in-path',
  ],
  [
    '0 as prepend ASN',
    (d) => {
      d.prepend.asn = 0;
    },
    'prepend.asn',
    'asn-forbidden-in-path',
  ],
  [
    'four-octet prepend ASN',
    (d) => {
      d.prepend.asn = 4200000000;
    },
    'prepend.asn',
    'asn-reserved',
  ],
  [
    'private prepend ASN on separate circuits',
    (d) => {
      d.prepend.asn = 65010;
    },
    'prepend.asn',
    'prepend-invisible',
  ],
  [
    'no prepend ASN on separate circuits',
    (d) => {
      delete d.prepend.asn;
    },
    'prepend.asn',
    'prepend-invisible',
  ],
  [
    'step 2 on separate circuits',
    (d) => {
      d.prepend.step = 2;
    },
    'prepend.step',
    'step-too-small',
  ],
  [
    'step 4 on separate circuits with several NVAs',
    (d) => {
      d.prepend.step = 4;
      d.prepend.headroom = 3;
      d.regions[0].nvas.push({ ...d.regions[0].nvas[0], name: 'we-nva-2', address: '10.1.1.5' });
    },
    'prepend.step',
    'step-too-small',
  ],
  [
    'ladder longer than 30 prepends',
    (d) => {
      d.prepend.headroom = 9;
    },
    'prepend.headroom',
    'ladder-too-long',
  ],
  [
    'no rung for a second failover',
    (d) => {
      d.prepend.headroom = 1;
    },
    'prepend.headroom',
    'headroom-too-small',
  ],
  [
    'one Route Server peer',
    (d) => {
      d.regions[0].routeServer.peers = ['10.1.0.4'];
    },
    'regions[0].routeServer.peers',
    'one-route-server-peer',
  ],
  [
    'the same Route Server peer twice',
    (d) => {
      d.regions[0].routeServer.peers = ['10.1.0.4', '10.1.0.4'];
    },
    'regions[0].routeServer.peers',
    'one-route-server-peer',
  ],
  [
    'nine NVAs on a Route Server',
    (d) => {
      d.prepend.step = 5;
      d.prepend.headroom = 2;
      d.regions[0].nvas = Array.from({ length: 9 }, (_, i) => ({ ...d.regions[0].nvas[0], name: `we-nva-${i}` }));
    },
    'regions[0].nvas',
    'too-many-peers',
  ],
  [
    'unknown region in a ranking',
    (d) => {
      d.vips[0].regions[1] = 'uksouth';
    },
    'vips[0].regions[1]',
    'unknown-region',
  ],
  [
    'a region twice in a ranking',
    (d) => {
      d.vips[0].regions[1] = 'westeurope';
    },
    'vips[0].regions[1]',
    'duplicate-name',
  ],
  [
    'application of an unknown vip',
    (d) => {
      d.regions[0].apps.nosuch = '10.1.2.3:80';
    },
    'regions[0].apps.nosuch',
    'unknown-vip',
  ],
  [
    'tickSeconds that does not divide 60',
    (d) => {
      d.timing.tickSeconds = 7;
    },
    'timing.tickSeconds',
    'tick-not-dividing-minute',
  ],
  [
    'probe timeout equal to its interval',
    (d) => {
      d.vips[0].health.timeoutMs = 1000;
    },
    'vips[0].health.timeoutMs',
    'timeout-not-below-interval',
  ],
  [
    'a window that can never fail',
    (d) => {
      d.vips[0].health.window = { fail: 6, of: 5 };
    },
    'vips[0].health.window.fail',
    'window-impossible',
  ],
  [
    'dnat-udr with two active NVAs and no symmetry',
    (d) => {
      d.prepend.step = 5;
      d.prepend.headroom = 2;
      d.regions[0].nvas.push({ ...d.regions[0].nvas[0], name: 'we-nva-2', address: '10.1.1.5' });
      d.vips[0].dataPlane = { mode: 'dnat-udr' };
    },
    'vips[0].dataPlane',
    'asymmetric-return',
  ],
  [
    '{app} without an application',
    (d) => {
      delete d.regions[1].apps.orders;
    },
    'vips[0].health.probe',
    'app-missing',
  ],
  [
    'no probe at all',
    (d) => {
      delete d.vips[0].health.probe;
    },
    'vips[0].health.probe',
    'probe-missing',
  ],
  [
    'one probe and several',
    (d) => {
      d.vips[0].health.probes = [d.vips[0].health.probe];
    },
    'vips[0].health.probes',
    'probe-and-probes',
  ],
  [
    'a requirement of one probe',
    (d) => {
      d.vips[0].health.require = 'any';
    },
    'vips[0].health.require',
    'require-without-probes',
  ],
  [
    'more probes required than there are',
    (d) => {
      d.vips[0].health = { probes: [d.vips[0].health.probe], require: { atLeast: 2 } };
    },
    'vips[0].health.require.atLeast',
    'at-least-too-many',
  ],
  [
    '{app} without an application in several probes',
    (d) => {
      delete d.regions[1].apps.orders;
      d.vips[0].health = { probes: [{ type: 'tcp', target: '{app}' }] };
    },
    'vips[0].health.probes',
    'app-missing',
  ],
  [
    'witness in a member region',
    (d) => {
      d.witness.region = 'westeurope';
    },
    'witness.region',
    'witness-hosts-members',
  ],
  [
    'active-active with one member',
    (d) => {
      d.vips[0].mode = 'active-active';
      d.vips[0].regions = ['westeurope'];
    },
    'vips[0].regions',
    'too-few-members',
  ],
  [
    'two NVAs of one name',
    (d) => {
      d.regions[1].nvas[0].name = 'we-nva-1';
    },
    'nvas and observers',
    'duplicate-name',
  ],
  [
    'an observer named like an NVA',
    (d) => {
      d.observers[0].name = 'we-nva-1';
    },
    'nvas and observers',
    'duplicate-name',
  ],
  [
    'an unknown key',
    (d) => {
      d.vips[0].health.intervalMS = 5;
    },
    'vips[0].health.intervalMS',
    'unknown-key',
  ],
  [
    'a prefix with host bits',
    (d) => {
      d.vips[0].prefix = '192.0.2.10/24';
    },
    'vips[0].prefix',
    'malformed',
  ],
  [
    'an IPv6 prefix',
    (d) => {
      d.vips[0].prefix = '2001:db8::/128';
    },
    'vips[0].prefix',
    'malformed',
  ],
  [
    'an agent without TLS',
    (d) => {
      d.regions[0].nvas[0].agent = 'http://10.1.1.4:8443';
    },
    'regions[0].nvas[0].agent',
    'malformed',
  ],
  [
    'no vips',
    (d) => {
      d.vips = [];
    },
    'vips',
    'malformed',
  ],
  [
    'a future version',
    (d) => {
      d.version = 2;
    },
    'version',
    'malformed',
  ],
];
