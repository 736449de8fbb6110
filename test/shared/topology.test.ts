// anycast.yaml: every refusal (topology-refusals.ts), what is accepted, and the questions asked of it.
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
import { REFUSALS } from './topology-refusals.ts';

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
