// All checks over gathered facts: what is wrong with its fix, and what could not be looked at. Pure.
import { checkAgents } from './check-agents.ts';
import { checkAzure } from './check-azure.ts';
import { checkControlPlane } from './check-control-plane.ts';
import type { Facts, Finding, Known, Unchecked } from './facts.ts';

export interface Examination {
  readonly findings: readonly Finding[];
  readonly unchecked: readonly Unchecked[];
}

export function examine(facts: Facts): Examination {
  const findings = [...checkControlPlane(facts), ...checkAgents(facts), ...checkAzure(facts)];
  return { findings, unchecked: findUnchecked(facts) };
}

function findUnchecked(facts: Facts): Unchecked[] {
  const skipped = (where: string, fact: Known<unknown> | undefined): Unchecked[] =>
    fact?.type === 'not asked' ? [{ where, why: fact.detail }] : [];
  const ofEach = (what: string, all: Readonly<Record<string, Known<unknown>>>): Unchecked[] =>
    Object.entries(all).flatMap(([name, fact]) => skipped(`${what} ${name}`, fact));
  return [
    ...(facts.status.type === 'failed' ? [{ where: 'control plane', why: facts.status.detail }] : []),
    ...ofEach('agent', facts.agents),
    ...ofEach('Route Server of', facts.routeServers),
    ...ofEach('routes learned from', facts.learned),
    ...ofEach('circuit of', facts.circuits),
    ...skipped('audit table', facts.table),
    ...skipped('data collection rule', facts.rule),
  ];
}
