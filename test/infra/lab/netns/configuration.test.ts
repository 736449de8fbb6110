// The plan of the namespaces and the configuration files made from it.
import { describe, expect, test } from '@jest/globals';
import { edgeConfig, onPremisesConfig, routeServerConfig } from '../../../../infra/lab/netns/bird-config.ts';
import { haproxyConfig } from '../../../../infra/lab/netns/haproxy-config.ts';
import {
  cableCommands,
  findPlannedRegion,
  namespaceCommands,
  planLab,
  switchCommands,
} from '../../../../infra/lab/netns/plan.ts';

const plan = planLab('afo4194304');
const west = findPlannedRegion(plan, 'westeurope');

describe('the plan', () => {
  test('gives every namespace of the run its prefix, and no name twice', () => {
    const names = [plan.switches.namespace, ...plan.namespaces.map((namespace) => namespace.name)];
    expect(names.every((name) => name.startsWith('afo4194304-'))).toBe(true);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toHaveLength(14);
  });
  test('gives no address twice but the vip, which every NVA has', () => {
    const addresses = plan.namespaces.flatMap((namespace) => namespace.ports.map((port) => port.address));
    expect(new Set(addresses).size).toBe(addresses.length);
    expect(plan.namespaces.filter((namespace) => namespace.loopback.includes('192.0.2.10/32'))).toHaveLength(2);
  });
  test('keeps interface names within the 15 characters of the kernel', () => {
    const names = [...cableCommands(plan), ...switchCommands(plan)].flatMap((command) =>
      [...command.matchAll(/link (?:add|set) (\S+)/g)].map((match) => match[1] ?? ''),
    );
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => name.length > 15)).toEqual([]);
  });
  test('plugs each port into a switch that exists', () => {
    const ports = plan.namespaces.flatMap((namespace) => namespace.ports);
    expect(ports.filter((port) => !plan.switches.bridges.includes(port.switch))).toEqual([]);
  });
  test('lets routers and NVAs forward, and sends NVA answers to clients back through on-premises', () => {
    const nva = plan.namespaces.find((namespace) => namespace.name === west.nva.namespace);
    expect(nva?.sysctls).toContain('net.ipv4.ip_forward=1');
    expect(nva === undefined ? [] : namespaceCommands(nva)).toContain('route add 10.200.0.0/24 via 10.1.200.1');
  });
  test('knows its regions only', () => {
    expect(() => findPlannedRegion(plan, 'nowhere')).toThrow(RangeError);
  });
});

describe('BIRD as Route Server', () => {
  const text = routeServerConfig(west, 1);
  test('is AS 65515 with hold time 180, waits for the NVA and passes path and next hop on', () => {
    expect(text).toContain('local 10.1.0.5 as 65515;');
    expect(text).toContain('neighbor 10.1.1.4 as 65001;');
    expect(text).toContain('hold time 180;');
    expect(text).toContain('passive on;');
    expect(text).toContain('next hop keep;');
  });
  test('never keeps routes of a peer that went away', () => {
    expect(text).toContain('graceful restart off;');
    expect(text).toContain('long lived graceful restart off;');
  });
  test('has two instances', () => {
    expect(() => routeServerConfig(west, 2)).toThrow(RangeError);
  });
});

test('BIRD as circuit edge is AS 12076, hears both instances and removes private ASNs', () => {
  const text = edgeConfig(west);
  expect(text.match(/neighbor 10\.1\.0\.[45] as 65515;/g)).toHaveLength(2);
  expect(text).toContain('local 10.1.3.4 as 12076;');
  expect(text).toContain('bgp_path.delete([64512..65534]);');
  expect(text).toContain('export filter as_expressroute_does; next hop keep;');
});

test('BIRD on-premises puts the best route only into the kernel and learns nothing from it', () => {
  const text = onPremisesConfig(plan);
  expect(text).toContain('learn off;');
  expect(text).toContain('merge paths off;');
  expect(text.match(/as 12076;/g)).toHaveLength(2);
});

test('HAProxy answers on the vip, asks the region’s own application and never retries', () => {
  const text = haproxyConfig(west);
  expect(text).toContain('bind 192.0.2.10:80');
  expect(text).toContain('server app 10.1.2.10:8080');
  expect(text).toContain('retries 0');
  expect(text).not.toContain(' check');
});
