// From the topology to one NVA's data plane.
import { describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { dataPlaneOf } from '../../../nva-agent/dataplane/plan.ts';
import { findNva, parseTopology } from '../../../shared/topology.ts';
import { contoso, type Draft } from '../../support/topology.ts';

function planOf(nva: string, bend: (draft: Draft) => void = () => {}) {
  const draft = contoso();
  bend(draft);
  const result = parseTopology(stringify(draft));
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  const place = findNva(result.value.topology, nva);
  if (place === undefined) throw new Error(`no ${nva}`);
  return dataPlaneOf(result.value.topology, place);
}

describe('the data plane of an NVA', () => {
  test('has the vips of its region with the region’s own application', () => {
    const plan = planOf('ne-nva-1');
    expect(plan).toMatchObject({ nva: 'ne-nva-1', address: '10.2.1.4' });
    expect(plan.vips.map(({ vip, address, appHost, ports }) => ({ vip, address, appHost, ports }))).toEqual([
      {
        vip: 'orders',
        address: '192.0.2.10',
        appHost: '10.2.2.10',
        ports: [{ listen: 80, to: 8080, protocol: 'tcp' }],
      },
      {
        vip: 'billing',
        address: '192.0.2.20',
        appHost: '10.2.2.20',
        ports: [{ listen: 443, to: 8080, protocol: 'tcp' }],
      },
    ]);
    expect(plan.tunnel).toBeUndefined();
    expect(plan.sessionPeer).toBeUndefined();
  });

  test('leaves out vips of somebody else’s data plane', () => {
    const plan = planOf('ne-nva-1', (d) => {
      d.vips[0].dataPlane = { mode: 'none' };
    });
    expect(plan.vips.map((vip) => vip.vip)).toEqual(['billing']);
  });

  test('has a tunnel to every NVA that shares a second chance, and both ends agree about it', () => {
    const enable = (d: Draft) => {
      d.vips[0].dataPlane.secondChance = { enabled: true, capSeconds: 60 };
    };
    const we = planOf('we-nva-1', enable);
    const ne = planOf('ne-nva-1', enable);
    expect(we.vips[0]?.secondChance).toEqual({ capSeconds: 60, peers: ['ne-nva-1'] });
    expect(we.vips[1]?.secondChance).toBeUndefined();
    expect(we.tunnel).toMatchObject({ port: 4789, vni: 92, mtu: 1450, address: '10.1.1.4' });
    expect(we.tunnel?.peers).toEqual([{ nva: 'ne-nva-1', address: '10.2.1.4', innerAddress: ne.tunnel?.innerAddress }]);
    expect(ne.tunnel?.peers).toEqual([{ nva: 'we-nva-1', address: '10.1.1.4', innerAddress: we.tunnel?.innerAddress }]);
  });

  test('shares sessions with the other NVA of its region where a vip asks for it', () => {
    const plan = planOf('we-nva-2', (d) => {
      d.transport = { kind: 'vpn' };
      d.prepend = { asn: 65010 };
      d.regions[0].nvas.push({ ...d.regions[0].nvas[0], name: 'we-nva-2', address: '10.1.1.5' });
      d.vips[0].dataPlane = { ...d.vips[0].dataPlane, mode: 'dnat-udr', symmetry: 'shared-sessions' };
    });
    expect(plan.sessionPeer).toEqual({ nva: 'we-nva-1', address: '10.1.1.4' });
  });
});
