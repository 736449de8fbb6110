// Runs one probe of any kind. Every kind settles within its timeout and never rejects.
import type { ProbeConfig } from '../../shared/topology-schema.ts';
import type { ProbeOutcome } from '../health/window.ts';
import { hostPort } from '../plan.ts';
import { converse } from './connection.ts';
import { probeDns } from './dns.ts';
import { probeExec } from './exec.ts';
import { probeHttp } from './http.ts';

export type RunProbe = (probe: ProbeConfig, timeoutMs: number) => Promise<ProbeOutcome>;

export const runProbe: RunProbe = (probe, timeoutMs) => {
  switch (probe.type) {
    case 'http':
    case 'https':
      return probeHttp(probe, timeoutMs);
    case 'tcp': {
      const target = hostPort(probe.target);
      if (target === undefined) return Promise.resolve({ type: 'unknown', detail: `${probe.target} is no host:port` });
      return converse(target, timeoutMs, { begin: () => ({ passed: true }) });
    }
    case 'dns':
      return probeDns(probe, timeoutMs);
    case 'exec':
      return probeExec(probe, timeoutMs);
  }
};
