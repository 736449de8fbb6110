// Every refusal of anycast.yaml, one row each: bend the sound example, expect the code and the path.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { stringify } from 'yaml';
import type { Finding, Result } from '../../shared/result.ts';
import { formatFindings } from '../../shared/result.ts';
import {
  findNva,
  findRegion,
  findVip,
  groupsOf,
  type LoadedTopology,
  ladderOf,
  parseTopology,
  prependAsnOf,
  probesOf,
  vipsOfNva,
} from '../../shared/topology.ts';
import { SCHEMA_FILE, schemaText } from '../../shared/topology-json-schema.ts';
import { contoso, type Draft } from '../support/topology.ts';

function load(bend: (draft: Draft) => void): Result<LoadedTopology> {
  const draft = contoso();
  bend(draft);
  return parseTopology(stringify(draft));
}

function findings(result: Result<LoadedTopology>): readonly Finding[] {
  if (result.ok) throw new Error('expected a refusal');
  return result.error;
}

function loaded(bend: (draft: Draft) => void = () => {}): LoadedTopology {
  const result = load(bend);
  if (!result.ok) throw new Error(formatFindings(result.error));
  return result.value;
}

const REFUSALS: readonly [string, (draft: Draft) => void, string, string][] = [
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

describe('anycast.yaml is refused', () => {
  test.each(REFUSALS)('%s', (_name, bend, path, code) => {
    expect(findings(load(bend))).toContainEqual(expect.objectContaining({ path, code }));
  });

  test('with every problem at once, each with its path', () => {
    const found = findings(
      load((d) => {
        d.vips[0].prefix = '10.1.9.9/32';
        d.prepend.asn = 65010;
        d.timing.tickSeconds = 7;
        d.regions[0].routeServer.peers = ['10.1.0.4'];
      }),
    );
    expect(found.map((f) => f.code).sort()).toEqual([
      'one-route-server-peer',
      'prefix-overlap',
      'prepend-invisible',
      'tick-not-dividing-minute',
    ]);
    expect(formatFindings(found)).toContain(
      'vips[0].prefix: 10.1.9.9/32 overlaps the Azure space 10.1.0.0/16 [prefix-overlap]',
    );
  });

  test('when it is no YAML, with the line', () => {
    expect(findings(parseTopology('version: 1\n  name: [')).map((f) => f.code)).toContain('not-yaml');
  });

  test('when it repeats a key or bombs with aliases', () => {
    expect(findings(parseTopology('version: 1\nversion: 1\n')).map((f) => f.code)).toContain('not-yaml');
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x,x]',
      ...'bcdefgh'.split('').map((k, i) => `${k}: &${k} [${new Array(10).fill(`*${'abcdefg'[i]}`).join(',')}]`),
    ];
    expect(parseTopology(bomb.join('\n')).ok).toBe(false);
  });

  test('never by an exception, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof parseTopology(text).ok === 'boolean'),
      { numRuns: 300 },
    );
  });
});

describe('anycast.yaml is accepted', () => {
  test('as the example, without a single warning worth hiding', () => {
    expect(loaded().warnings.map((w) => w.code)).toEqual([]);
  });

  test('with a public prepend ASN, shared circuits without one, or VPN', () => {
    expect(
      load((d) => {
        d.prepend.asn = 3320;
      }).ok,
    ).toBe(true);
    expect(
      load((d) => {
        d.transport = { kind: 'expressroute', circuits: 'shared' };
        delete d.prepend.asn;
        delete d.prepend.step;
      }).ok,
    ).toBe(true);
    expect(
      load((d) => {
        d.transport = { kind: 'vpn' };
        d.prepend = { asn: 65010 };
      }).ok,
    ).toBe(true);
  });

  test('with the step that the transport needs when none is given', () => {
    const step = (bend: (d: Draft) => void) => ladderOf(loaded(bend).topology).step;
    expect(
      step((d) => {
        delete d.prepend.step;
      }),
    ).toBe(3);
    expect(
      step((d) => {
        d.transport = { kind: 'vpn' };
        delete d.prepend.step;
      }),
    ).toBe(1);
    expect(
      step((d) => {
        delete d.prepend.step;
        d.prepend.headroom = 2;
        d.regions[0].nvas.push({ ...d.regions[0].nvas[0], name: 'we-nva-2' });
      }),
    ).toBe(5);
  });

  test('with a warning for each doubtful setting', () => {
    const codes = (bend: (d: Draft) => void) => loaded(bend).warnings.map((w) => w.code);
    expect(
      codes((d) => {
        d.vips[0].onLocalFailure = 'withdraw';
      }),
    ).toEqual(['withdraw-everywhere']);
    expect(
      codes((d) => {
        d.vips[0].regions = ['westeurope'];
      }),
    ).toEqual(['single-region']);
    expect(
      codes((d) => {
        d.vips[0].failback.afterSeconds = 30;
      }),
    ).toEqual(['early-failback']);
    expect(
      codes((d) => {
        d.vips[0].health.sentinel = false;
      }),
    ).toEqual(['no-sentinel']);
    expect(
      codes((d) => {
        delete d.regions[0].circuit;
      }),
    ).toEqual(['circuit-not-checked']);
    expect(
      codes((d) => {
        d.seats = [d.seats[0]];
      }),
    ).toEqual(['single-seat']);
    expect(
      codes((d) => {
        d.witness = { ...d.witness, region: 'westeurope', sharesRegion: true };
      }),
    ).toEqual(['witness-shares-region']);
    expect(
      codes((d) => {
        d.vips[0].mode = 'active-active';
        d.observers = [];
      }),
    ).toEqual(['unobserved-ecmp']);
  });
});

describe('questions asked of a topology', () => {
  test('who is where', () => {
    const { topology } = loaded();
    expect(findRegion(topology, 'northeurope')?.nvas[0]?.name).toBe('ne-nva-1');
    expect(findRegion(topology, 'nowhere')).toBeUndefined();
    expect(findVip(topology, 'billing')?.prefix).toBe('192.0.2.20/32');
    expect(findNva(topology, 'ne-nva-1')?.region.name).toBe('northeurope');
    expect(findNva(topology, 'nobody')).toBeUndefined();
    expect(groupsOf(topology)).toEqual(['default']);
    expect(vipsOfNva(topology, 'we-nva-1', 'default').map((v) => v.name)).toEqual(['orders', 'billing']);
    expect(vipsOfNva(topology, 'nobody', 'default')).toEqual([]);
  });

  test('what an NVA prepends and probes', () => {
    const { topology } = loaded();
    const found = findNva(topology, 'we-nva-1');
    const vip = findVip(topology, 'orders');
    if (found === undefined || vip === undefined) throw new Error('example changed');
    expect(prependAsnOf(topology, found.nva)).toBe(64500);
    expect(prependAsnOf({ ...topology, prepend: { headroom: 4 } }, found.nva)).toBe(65001);
    expect(probesOf(vip, found.region)).toMatchObject([{ url: 'http://10.1.2.10:8080/healthz' }]);
  });
});

test('the JSON Schema for editors is the one generated from the code (npm run schema)', () => {
  expect(readFileSync(SCHEMA_FILE, 'utf8')).toBe(schemaText());
});
