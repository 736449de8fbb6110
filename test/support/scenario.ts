// Interprets scenario files: command lines, `----`, the trace they leave. A network engineer can read and write them.
//
//   deploy regions=a,b nvas=2 mode=active-active after=600 circuits=vpn observers=hq seat=a dwellSeconds=0 ...
//   run 30s                          let time pass; the trace shows every change and every new refusal
//   app a down|up|slow [vip]         the region's application
//   nva a-nva-1 freeze|thaw|off|boot|stop      (sessions stay up when frozen or off: the hold time decides)
//   control a-nva-1 cut|heal         agent and control plane cannot talk
//   sessions a-nva-1 0|1|2           Route Server sessions that are up
//   signal a healthy|unhealthy|unknown    what the query says of a region
//   observer hq blind|sees
//   wish ID failover|failback|drain|undrain|recentre|trust-ledger [vip=] [region=] [force=x,y] [deadline=120s]
//   hold ID [full] [for=60s]  /  release ID
//   proof b failed [routeServer]     a verification failed, at that step
//   route-server readable|unreadable
//   seat cut|heal|changed|deaf-to-others   changed: a new leader without a view of its own
//   view NAME hears|misses REGION,...      another seat's view
//   veto on|off
//   ledger rebuilt
//   work a                           people stop a's applications as soon as a does not act any more
//   deploy routeServer=30s           Route Server applies one change of a route in this time
//   repeat 5 | app a slow | run 20s | app a up | run 20s
//   wire [vip]  /  explain vip  /  users vip
import { explainAction, explainBlocked, explainVip } from '../../functions/engine/explain.ts';
import type { Decision, Intent } from '../../functions/engine/types.ts';
import { deployment, nvaName, START_MS } from './engine-world.ts';
import {
  type Agent,
  addHold,
  addIntent,
  appKey,
  createWorld,
  rebuildLedger,
  STEP_MS,
  served,
  stepWorld,
  type World,
  writeLedger,
} from './scenario-world.ts';

interface Tale {
  world: World;
  lines: string[];
  /** What was last said of a thing, so that only news is told. */
  readonly said: Map<string, string>;
  readonly toll: { unansweredMs: number; astrayMs: number; moves: number };
}

/** What users and operators had to bear. */
export interface Toll {
  /** Users of any vip got no answer. */
  readonly unansweredMs: number;
  /** Users of any vip were answered by another region than the one that acts. */
  readonly astrayMs: number;
  /** Changes of the acting region: each breaks connections. */
  readonly moves: number;
}

const newTale = (): Tale => ({
  world: begin([]),
  lines: [],
  said: new Map(),
  toll: { unansweredMs: 0, astrayMs: 0, moves: 0 },
});

/** Follows command lines and tells their trace and toll. */
export function tellCommands(commands: readonly string[]): { readonly lines: readonly string[]; readonly toll: Toll } {
  const tale = newTale();
  for (const line of commands) runCommand(tale, line.trim().split(/\s+/));
  return { lines: tale.lines, toll: tale.toll };
}

/** Runs a whole scenario file and returns it with its traces as they are now. */
export function runScenario(text: string): string {
  const tale = newTale();
  const blocks = text.split(/\n{2,}/).filter((block) => block.trim() !== '');
  return `${blocks.map((block) => runBlock(tale, block)).join('\n\n')}\n`;
}

function runBlock(tale: Tale, block: string): string {
  const commands = (block.split('\n----')[0] ?? '').trimEnd().split('\n');
  tale.lines = [];
  const real = commands.filter((line) => line.trim() !== '' && !line.startsWith('#'));
  for (const line of real) runCommand(tale, line.trim().split(/\s+/));
  return real.length === 0 ? commands.join('\n') : [...commands, '----', ...tale.lines].join('\n');
}

type Options = ReadonlyMap<string, string>;

const optionsOf = (words: readonly string[]): Options =>
  new Map(
    words
      .filter((word) => word.includes('='))
      .map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
  );

const UNIT_SECONDS: ReadonlyMap<string, number> = new Map([
  ['s', 1],
  ['m', 60],
  ['h', 3600],
]);

const secondsOf = (word: string): number => {
  const match = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(word);
  if (match === null) throw new Error(`not a duration: ${word}`);
  return Number(match[1]) * (UNIT_SECONDS.get(match[2] ?? '') ?? 1);
};

const NOT_GUARDS = new Set([
  'regions',
  'nvas',
  'active',
  'mode',
  'failback',
  'after',
  'circuits',
  'headroom',
  'step',
  'observers',
  'seat',
  'vips',
  'routeChange',
  'signals',
  'window',
  'routeServer',
  'penalty',
]);

function begin(words: readonly string[]): World {
  const o = optionsOf(words);
  const vip = {
    mode: o.get('mode') ?? 'primary-backup',
    nvas: o.get('active') ?? 'all',
    failback: { mode: o.get('failback') ?? 'auto', afterSeconds: secondsOf(o.get('after') ?? '600') },
    ...(o.has('signals') ? { signals: [{ type: 'kql', query: 'x' }] } : {}),
  };
  const guards = Object.fromEntries(
    [...o].filter(([key]) => !NOT_GUARDS.has(key) && key !== 'guardMode').map(([key, value]) => [key, Number(value)]),
  );
  const window = o.get('window')?.split('-');
  const config = deployment({
    regions: (o.get('regions') ?? 'a,b').split(','),
    nvasPerRegion: Number(o.get('nvas') ?? 1),
    circuits: (o.get('circuits') ?? 'separate') as 'separate',
    headroom: Number(o.get('headroom') ?? 4),
    vips: Array.from({ length: Number(o.get('vips') ?? 1) }, () => vip),
    guards: {
      ...guards,
      ...(o.has('guardMode') ? { mode: o.get('guardMode') } : {}),
      ...(o.get('penalty') === 'off' ? { flapPenalty: { perMove: 0 } } : {}),
      ...(window === undefined ? {} : { failbackWindows: [{ from: window[0], to: window[1] }] }),
    },
    timing: { routeChangeSeconds: secondsOf(o.get('routeChange') ?? '30') },
    ...(o.has('step') ? { step: Number(o.get('step')) } : {}),
  });
  const observers = (o.get('observers') ?? '').split(',').filter((name) => name !== '');
  const world = createWorld(config, observers, o.get('seat') ?? 'w');
  world.applyMs = secondsOf(o.get('routeServer') ?? '0s') * 1000;
  return world;
}

const COMMANDS: Readonly<Record<string, (tale: Tale, words: readonly string[]) => void>> = {
  deploy: (tale, words) => {
    tale.world = begin(words);
    tale.said.clear();
  },
  run: (tale, [duration]) => run(tale, secondsOf(duration ?? '') * 1000),
  app: ({ world }, [region = '', state = '', vip]) => {
    for (const known of world.config.vips) {
      if (vip === undefined || vip === known.name) world.apps.set(appKey(region, known.name), state as 'up');
    }
  },
  nva: ({ world }, [name = '', what = '']) => turnNva(world, agentOf(world, name), what),
  control: ({ world }, [name = '', what]) => {
    agentOf(world, name).isCut = what === 'cut';
  },
  sessions: ({ world }, [name = '', count]) => {
    const agent = agentOf(world, name);
    agent.sessionsUp = Number(count);
    agent.sessionsSinceMs = world.nowMs;
    agent.hasNews = true;
  },
  signal: ({ world }, [region = '', verdict]) => {
    const entry = { atMs: world.nowMs, verdict: verdict as 'healthy' };
    world.signals = { orders: { ...world.signals.orders, [region]: entry } };
    world.hasNews = true;
  },
  observer: ({ world }, [name = '', what]) => {
    world.observers.set(name, { isBlind: what === 'blind' });
  },
  wish: ({ world }, words) => addIntent(world, intentOf(world, words)),
  hold: ({ world }, words) => {
    const expiresAtMs = world.nowMs + secondsOf(optionsOf(words).get('for') ?? '1h') * 1000;
    const hold = {
      id: words[0] ?? '',
      actor: 'ops',
      actorType: 'human' as const,
      reason: 'maintenance',
      createdAtMs: world.nowMs,
    };
    addHold(world, { ...hold, expiresAtMs, full: words.includes('full') });
  },
  release: ({ world }, [id]) => writeLedger(world, { holds: world.policy.holds.filter((hold) => hold.id !== id) }),
  proof: ({ world }, [region = '', , step]) => {
    const vip = world.policy.vips.orders;
    const row = vip?.regions[region];
    if (vip === undefined || row === undefined) throw new Error(`no region ${region}`);
    const regions = {
      ...vip.regions,
      [region]: { ...row, unprovenSinceMs: world.nowMs, ...(step && { unprovenAt: step as 'circuit' }) },
    };
    writeLedger(world, { vips: { ...world.policy.vips, orders: { ...vip, regions } } });
  },
  'route-server': ({ world }, [what]) => {
    world.isReadable = what === 'readable';
    for (const name of Object.keys(world.learned)) delete world.learned[name];
  },
  seat: ({ world }, [what]) => {
    if (what === 'changed')
      world.seat = { ...world.seat, name: 'seat-new', leaderSinceMs: world.nowMs, followedFresh: false };
    else world.isSeatCut = what === 'cut';
  },
  view: ({ world }, [seat = '', what, regions = '']) => {
    const isHeard = (agent: Agent) => regions.split(',').includes(agent.region) === (what === 'hears');
    const heardAtMs = Object.fromEntries(
      world.agents.map((agent) => [agent.name, isHeard(agent) ? Number.MAX_SAFE_INTEGER : 0]),
    );
    // Stays as fresh as the world's clock until replaced.
    world.seatViews = [{ seat, region: 'elsewhere', atMs: Number.MAX_SAFE_INTEGER, heardAtMs }];
  },
  veto: ({ world }, [what]) => {
    world.vetoes = what === 'on' ? { orders: { atMs: world.nowMs, detail: 'change freeze' } } : {};
  },
  ledger: ({ world }) => rebuildLedger(world),
  work: ({ world }, [region = '']) => {
    world.workOn.add(region);
  },
  repeat: (tale, [times, ...words]) => {
    const commands = words.join(' ').split('|');
    for (let i = 0; i < Number(times); i += 1) {
      for (const command of commands.slice(1)) runCommand(tale, command.trim().split(/\s+/));
    }
  },
  wire: (tale, [vip = 'orders']) => tellWire(tale, vip),
  explain: (tale, [vip = 'orders']) => {
    const { world } = tale;
    if (world.decision === undefined) throw new Error('nothing was decided yet');
    tale.lines.push(...explainVip(world.policy, world.decision, world.config, vip, world.nowMs));
  },
  users: (tale, [vip = 'orders']) => tale.lines.push(usersText(tale.world, vip)),
};

function runCommand(tale: Tale, [name = '', ...words]: readonly string[]): void {
  const command = COMMANDS[name];
  if (command === undefined) throw new Error(`no such command: ${name}`);
  command(tale, words);
}

function agentOf(world: World, name: string): Agent {
  const agent = world.agents.find((candidate) => candidate.name === name || candidate.name === nvaName(name));
  if (agent === undefined) throw new Error(`no NVA ${name}`);
  return agent;
}

function turnNva(world: World, agent: Agent, what: string): void {
  agent.stateSinceMs = world.nowMs;
  agent.hasNews = true;
  if (what === 'stop') agent.isStopping = true;
  else if (what === 'freeze') agent.state = 'frozen';
  else if (what === 'off') agent.state = 'off';
  else if (what === 'thaw' || what === 'boot') {
    agent.state = 'up';
    agent.isStopping = false;
    if (what === 'boot') agent.sessionsSinceMs = world.nowMs;
  } else throw new Error(`nva: ${what}?`);
}

function intentOf(world: World, words: readonly string[]): Intent {
  const o = optionsOf(words);
  const vip =
    o.get('vip') ?? (words[1]?.includes('drain') === true || words[1] === 'trust-ledger' ? undefined : 'orders');
  const region = o.get('region');
  return {
    id: words[0] ?? '',
    type: (words[1] ?? '') as Intent['type'],
    ...(vip === undefined ? {} : { vip }),
    ...(region === undefined ? {} : { region }),
    actor: 'ops',
    actorType: 'human',
    reason: 'CHG0042',
    force: (o.get('force') ?? '').split(',').filter((guard) => guard !== ''),
    createdAtMs: world.nowMs,
    deadlineMs: world.nowMs + secondsOf(o.get('deadline') ?? '120s') * 1000,
    operation: `op-${words[0]}`,
  };
}

function run(tale: Tale, durationMs: number): void {
  for (let passedMs = 0; passedMs < durationMs; passedMs += STEP_MS) {
    const before = tale.world.policy;
    const decision = stepWorld(tale.world);
    if (decision !== undefined) tell(tale, decision);
    count(tale, before);
    for (const vip of tale.world.config.vips) tellOnce(tale, `users ${vip.name}`, usersText(tale.world, vip.name));
  }
}

function count({ world, toll }: Tale, before: World['policy']): void {
  for (const { name, mode } of world.config.vips) {
    const { answering } = served(world, name);
    const acting = world.policy.vips[name]?.acting ?? '';
    if (answering.length === 0) toll.unansweredMs += STEP_MS;
    else if (mode === 'primary-backup' && !answering.includes(acting)) toll.astrayMs += STEP_MS;
    if (before.vips[name]?.acting !== acting) toll.moves += 1;
  }
}

function tell(tale: Tale, decision: Decision): void {
  for (const outcome of decision.intents) {
    const why = outcome.reasons.map((reason) => ` ${reason.code}: ${reason.detail}`).join(';');
    tellOnce(
      tale,
      `intent ${outcome.intent} ${outcome.vip ?? ''}`,
      `intent ${outcome.intent} ${outcome.outcome}${why}`,
    );
  }
  for (const action of decision.actions) say(tale, `${action.vip} ${explainAction(action)}`);
  for (const { vip, reason } of decision.reasons) tellOnce(tale, `reason ${vip}`, `${vip} is ${reason}`);
  tellNews(
    tale,
    'blocked',
    decision.blocked.map((blocked) => `${blocked.vip} ${explainBlocked(blocked)}`),
  );
  tellNews(
    tale,
    'alert',
    decision.alerts.map((alert) => `${alert.vip ?? ''} alert ${alert.reason}: ${alert.detail}`),
  );
}

const say = (tale: Tale, line: string): void => {
  tale.lines.push(`${((tale.world.nowMs - START_MS) / 1000).toFixed(1).padStart(7)}  ${line}`);
};

function tellOnce(tale: Tale, key: string, line: string): void {
  if (tale.said.get(key) === line) return;
  tale.said.set(key, line);
  say(tale, line);
}

/** Lines that were not among those of the decision before. */
function tellNews(tale: Tale, key: string, lines: readonly string[]): void {
  const before = tale.said.get(key)?.split('\n') ?? [];
  for (const line of lines) if (!before.includes(line)) say(tale, line);
  tale.said.set(key, lines.join('\n'));
}

function usersText(world: World, vip: string): string {
  const { best, answering } = served(world, vip);
  if (best.length === 0) return `users of ${vip} have no route`;
  if (answering.length > 0) return `users of ${vip} are served by ${answering.join(' and ')}`;
  return `users of ${vip} reach ${best.join(' and ')}, without an answer`;
}

function tellWire(tale: Tale, vip: string): void {
  const { world } = tale;
  const policy = world.policy.vips[vip];
  for (const [region, row] of Object.entries(policy?.regions ?? {})) {
    const maybe = row.maybe.length === 0 ? '' : ` maybe ${row.maybe.map((entry) => entry.rung).join(',')}`;
    const held = world.agents
      .filter((agent) => agent.region === region)
      .map((agent) => `${agent.name} ×${agent.held.get(vip) ?? '-'}`);
    tale.lines.push(`${region} ${row.role} rung ${row.rung}${maybe} ${row.state}   ${held.join(' ')}`);
  }
}
