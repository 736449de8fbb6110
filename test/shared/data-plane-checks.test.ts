// Every refusal and warning about data planes, one row each.
import { describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { SECOND_CHANCE_VIPS_MAX } from '../../shared/data-plane-checks.ts';
import { parseTopology } from '../../shared/topology.ts';
import { contoso, type Draft } from '../support/topology.ts';

function codes(bend: (draft: Draft) => void): { refused: string[]; warned: string[] } {
  const draft = contoso();
  bend(draft);
  const result = parseTopology(stringify(draft, { aliasDuplicateObjects: false }));
  const words = (findings: readonly { path: string; code: string }[]) => findings.map((f) => `${f.path} ${f.code}`);
  return result.ok
    ? { refused: [], warned: words(result.value.warnings) }
    : { refused: words(result.error), warned: [] };
}

const addSecondNva = (d: Draft): void => {
  d.transport = { kind: 'vpn' };
  d.prepend = { asn: 65010 };
  d.regions[0].nvas.push({ ...d.regions[0].nvas[0], name: 'we-nva-2', address: '10.1.1.5' });
};

describe('refused', () => {
  const rows: readonly [string, (d: Draft) => void, string][] = [
    [
      'a vip of several addresses',
      (d) => {
        d.vips[0].prefix = '192.0.2.0/29';
      },
      'vips[0].prefix vip-not-one-address',
    ],
    [
      'a data plane without ports',
      (d) => {
        d.vips[0].dataPlane = { mode: 'snat' };
      },
      'vips[0].dataPlane.ports no-ports',
    ],
    [
      'one port twice',
      (d) => {
        d.vips[0].dataPlane.ports = [
          { listen: 80, to: 1 },
          { listen: 80, to: 2 },
        ];
      },
      'vips[0].dataPlane.ports[1].listen duplicate-port',
    ],
    [
      'UDP through the reverse proxy',
      (d) => {
        d.vips[0].dataPlane.ports = [{ listen: 53, to: 53, protocol: 'udp' }];
      },
      'vips[0].dataPlane.ports[0].protocol udp-through-proxy',
    ],
    [
      'no application in a member region',
      (d) => {
        delete d.regions[1].apps.orders;
      },
      'regions[1].apps.orders app-missing',
    ],
    [
      'a name where the kernel needs an address',
      (d) => {
        d.vips[0].dataPlane.mode = 'snat';
        d.regions[1].apps.orders = 'app.internal:8080';
      },
      'regions[1].apps.orders app-not-an-address',
    ],
    [
      'more second chances than a heartbeat can name',
      (d) => {
        const spare = Array.from({ length: SECOND_CHANCE_VIPS_MAX + 1 }, (_, i) => `198.18.${i >> 8}.${i & 255}/32`);
        const [vip] = d.vips;
        d.vips = spare.map((prefix, i) => ({
          ...vip,
          name: `vip-${i}`,
          prefix,
          dataPlane: { ...vip.dataPlane, secondChance: { enabled: true } },
        }));
        const apps = Object.fromEntries(spare.map((_, i) => [`vip-${i}`, '10.1.2.10:8080']));
        for (const region of d.regions) region.apps = apps;
      },
      'vips too-many-second-chances',
    ],
  ];
  test.each(rows)('%s', (_name, bend, expected) => {
    expect(codes(bend).refused).toContain(expected);
  });
});

describe('warned of', () => {
  const enable = (d: Draft) => {
    d.vips[0].dataPlane.secondChance = { enabled: true };
  };
  const rows: readonly [string, (d: Draft) => void, readonly string[]][] = [
    ['nothing in the usual case', enable, []],
    [
      'a second chance without a data plane of ours',
      (d) => {
        enable(d);
        d.vips[0].dataPlane.mode = 'none';
      },
      ['vips[0].dataPlane.secondChance second-chance-without-data-plane'],
    ],
    [
      'a second chance with nobody to hand to',
      (d) => {
        enable(d);
        d.vips[0].regions = ['westeurope'];
      },
      ['vips[0].dataPlane.secondChance second-chance-alone'],
    ],
    [
      'several possible previous owners',
      (d) => {
        enable(d);
        addSecondNva(d);
      },
      ['vips[0].dataPlane.secondChance second-chance-one-owner'],
    ],
    [
      'no such thing with one active NVA per region',
      (d) => {
        enable(d);
        addSecondNva(d);
        d.vips[0].nvas = 'one';
      },
      [],
    ],
  ];
  test.each(rows)('%s', (_name, bend, expected) => {
    const found = codes(bend);
    expect(found.refused).toEqual([]);
    expect(found.warned.filter((word) => word.includes('secondChance'))).toEqual(expected);
  });
});
