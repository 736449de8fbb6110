// Checks of the agents: reachable, obedient, both sessions up, right prefixes, clock, certificate. Pure.
import type { Topology } from '../../../shared/topology-schema.ts';
import { type AgentFacts, type Facts, type Finding, known } from './facts.ts';

const CLOCK_OFFSET_MS_MAX = 10_000;
const CERTIFICATE_DAYS_MIN = 30;
const DAY_MS = 86_400_000;
/** Refusals that only a wrong configuration explains. */
const TELLING_REFUSALS = ['unknown-key', 'bad-signature', 'misaddressed', 'unknown-group'] as const;

const make =
  (severity: Finding['severity']) =>
  (code: string, where: string, what: string, fix: string): Finding => ({ code, severity, where, what, fix });
const problem = make('problem');
const warning = make('warning');

export function checkAgents(facts: Facts): Finding[] {
  return facts.topology.regions.flatMap((region) =>
    region.nvas.flatMap((nva): Finding[] => {
      const fact = facts.agents[nva.name];
      if (fact?.type === 'failed') {
        const fix =
          'is the agent running, is nvas[].agent right, does the network let port 8443 through from here and from the seats, is --ca its CA?';
        return [problem('agent-unreachable', nva.name, `${nva.agent}: ${fact.detail}`, fix)];
      }
      const agent = known(fact);
      return agent === undefined
        ? []
        : [
            ...checkIdentity(agent, nva.name, region.name),
            ...checkSessions(agent, region.routeServer.peers, nva.name),
            ...checkVips(agent, facts.topology, nva.name, region.name),
            ...checkObedience(facts, agent, nva.name),
            ...checkAgentClock(agent, nva.name, facts.nowMs),
          ];
    }),
  );
}

function checkIdentity(agent: AgentFacts, name: string, region: string): Finding[] {
  if (agent.nva === name && agent.region === region) return [];
  const fix = 'nva in /etc/anycast-agent/agent.yaml and nvas[].agent in the file must name the same machine';
  return [problem('agent-misnamed', name, `it calls itself ${agent.nva} in ${agent.region}`, fix)];
}

function checkSessions({ sessions }: AgentFacts, peers: readonly string[], name: string): Finding[] {
  const up = new Set(sessions.filter((one) => one.state === 'Established').map((one) => one.peer));
  const down = peers.filter((peer) => !up.has(peer));
  const strange = sessions.filter((one) => !peers.includes(one.peer)).map((one) => one.peer);
  const fix =
    'a bgpConnection with this NVA’s address and AS number, static routes to both addresses by the subnet’s gateway, TCP 179 open; on the NVA: anycast-agent doctor';
  return [
    ...(down.length > 0
      ? [
          problem(
            down.length === peers.length ? 'nva-isolated' : 'session-down',
            name,
            `not Established: ${down.join(', ')}`,
            fix,
          ),
        ]
      : []),
    ...(strange.length > 0
      ? [
          problem(
            'peer-unknown',
            name,
            `it peers with ${strange.join(', ')}, which the file does not name`,
            'give the agent this file',
          ),
        ]
      : []),
    ...checkBothAlike(sessions, name),
  ];
}

function checkBothAlike(sessions: readonly AgentFacts['sessions'][number][], name: string): Finding[] {
  const told = sessions
    .filter((one) => one.state === 'Established')
    .map((one) =>
      one.routes
        .map((route) => `${route.prefix} ${route.asPath.join(' ')}`)
        .sort()
        .join('\n'),
    );
  if (new Set(told).size <= 1) return [];
  return [
    problem('instances-differ', name, 'both Route Server instances were told different routes', 'report this as a bug'),
  ];
}

function checkVips(agent: AgentFacts, topology: Topology, name: string, region: string): Finding[] {
  const fix = 'give the agent this file and reload it: systemctl reload anycast-agent';
  return topology.vips
    .filter((vip) => vip.regions.includes(region))
    .flatMap((vip): Finding[] => {
      const held = agent.vips.find((one) => one.vip === vip.name);
      if (held === undefined) return [problem('agent-lacks-vip', name, `it does not know ${vip.name}`, fix)];
      if (held.prefix === vip.prefix) return [];
      return [
        problem('agent-other-prefix', name, `${vip.name} is ${held.prefix} there, ${vip.prefix} in the file`, fix),
      ];
    });
}

function checkObedience({ status }: Facts, agent: AgentFacts, name: string): Finding[] {
  const refused = TELLING_REFUSALS.filter((reason) => (agent.orderCounts[reason] ?? 0) > 0);
  const behind =
    known(status)?.vips.some((vip) =>
      vip.regions.some((region) => region.nvas.some((nva) => nva.nva === name && !nva.acknowledged)),
    ) ?? false;
  const found: Finding[] = [];
  if (behind && refused.length > 0) {
    const fix =
      'pin the public key of every seat in seats[].orderKeys of the file the agent has; kid and key must match';
    found.push(problem('orders-refused', name, `it refuses orders: ${refused.join(', ')}`, fix));
  }
  const { taken = 0, ...others } = agent.reportCounts;
  const failing = Object.entries(others).filter(([, count]) => count > 0);
  if (taken === 0 && failing.length > 0) {
    const fix = 'assign Agent.Report to the identity of the VM; check seats[].audience and principalId';
    found.push(
      problem(
        'reports-refused',
        name,
        `no seat ever took its reports (${failing.map(([, count]) => count).join(', ')} tries)`,
        fix,
      ),
    );
  }
  if (agent.overrides > 0) {
    found.push(
      warning(
        'override-active',
        name,
        'root overrides its orders locally',
        'end it when it is over: anycast-agent override VIP end',
      ),
    );
  }
  return found;
}

function checkAgentClock(agent: AgentFacts, name: string, nowMs: number): Finding[] {
  const found: Finding[] = [];
  if (Math.abs(agent.clockOffsetMs) > CLOCK_OFFSET_MS_MAX) {
    const what = `its clock differs from this machine's by ${Math.round(agent.clockOffsetMs / 1000)} s`;
    const fix = 'orders older than 60 s are refused: run chrony there (chronyc tracking)';
    found.push(problem('clock-skew', name, what, fix));
  }
  const { certificateEndsAtMs } = agent;
  const days = certificateEndsAtMs === null ? undefined : Math.floor((certificateEndsAtMs - nowMs) / DAY_MS);
  if (days !== undefined && days < CERTIFICATE_DAYS_MIN) {
    const severity = days < 7 ? problem : warning;
    const fix = 'renew it, put it in place and reload the agent; then docs/operating.md, certificates';
    found.push(severity('certificate-expiring', name, `its certificate ends in ${days} days`, fix));
  }
  return found;
}
