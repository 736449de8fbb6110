// The lab on one screen: who answers, how well each region is, the AS path at every hop, what was decided, what to type.
// Pure: the world and the status in, lines out.
import type { Status, StatusRegion, StatusVip } from '../../shared/api.ts';
import type { AuditRecord } from '../../shared/audit.ts';
import { VERDICT_GLYPHS, type Verdict } from '../../shared/vocabulary.ts';
import { asPathText, strippedPathText } from './as-path-text.ts';
import { describeFault } from './fault-desk.ts';
import type { World, WorldRegion, WorldVip } from './world.ts';

/** How a piece of text is shown; the plain one returns it as it is. */
export interface Paint {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly strong: (text: string) => string;
}

const same = (text: string): string => text;
export const PLAIN: Paint = { good: same, bad: same, warn: same, dim: same, strong: same };

export interface View {
  readonly world: World;
  readonly status: Status | undefined;
  /** Why the control plane did not answer the last question. */
  readonly failure: string | undefined;
  /** Decisions of the audit trail, oldest first. */
  readonly decisions: readonly AuditRecord[];
  readonly columns: number;
  readonly rows: number;
  readonly paint?: Paint;
}

const DECISIONS_MIN = 2;
const DECISIONS_MAX = 12;

/** Lines of at most `columns` characters, `rows` of them where that is possible. Commands to type are never cut. */
export function render(view: View): string[] {
  const { world, paint = PLAIN } = view;
  const head = [headline(view, paint), ...controlLines(view, paint), ''];
  const vips = world.vips.flatMap((vip) => [...vipLines(view, vip, paint), '']);
  const commands = commandsToTry(world);
  const foot = footLines(view, paint);
  const room = view.rows - head.length - vips.length - commands.length - foot.length - 2;
  const decisions = decisionLines(view, Math.min(DECISIONS_MAX, Math.max(DECISIONS_MIN, room)), paint);
  const fitted = (lines: readonly string[]) => lines.map((line) => cut(line, view.columns));
  return [...fitted([...head, ...vips, ...decisions, '']), ...commands, ...fitted(foot)];
}

// ---------------------------------------------------------------- head

function headline({ world, status, columns }: View, paint: Paint): string {
  const unserved = world.vips.filter((vip) => vip.answeredBy === null).length;
  const counts = `${world.vips.length} vips, ${unserved} unserved`;
  const left = `${paint.strong(world.deployment)}   ${unserved === 0 ? counts : paint.bad(counts)}`;
  const steady = world.steadyAfterMs === null ? 'not steady yet' : `steady after ${secondsText(world.steadyAfterMs)}`;
  const automation = status === undefined ? '' : `   automation ${status.automation}`;
  return spread(left, `up ${secondsText(world.sinceStartMs)}, ${steady}${automation}`, columns);
}

function controlLines({ world, status, failure }: View, paint: Paint): string[] {
  const lines: string[] = [];
  if (failure !== undefined) {
    lines.push(paint.warn(`control plane does not answer (${failure}); nothing on the wire changes but by reflex`));
  } else if (status !== undefined) {
    const age =
      status.decidedAtMs === null ? 'never decided' : `decided ${secondsText(world.nowMs - status.decidedAtMs)} ago`;
    const leader = status.leader === null ? 'no leader' : `${status.leader} leads`;
    lines.push(`${leader}, epoch ${status.epoch} generation ${status.generation}, ${age}, ledger ${status.ledger}`);
    for (const alert of status.alerts)
      lines.push(paint.warn(`! ${alert.vip ?? 'all'}: ${alert.reason}, ${alert.detail}`));
  }
  for (const fault of world.faults) {
    const rest = fault.untilMs === null ? '' : `, ${secondsText(Math.max(0, fault.untilMs - world.nowMs))} left`;
    lines.push(paint.bad(`fault ${describeFault(fault)}${rest}`));
  }
  return lines;
}

// ---------------------------------------------------------------- vips

function vipLines(view: View, vip: WorldVip, paint: Paint): string[] {
  const { world, status } = view;
  const told = status?.vips.find((candidate) => candidate.vip === vip.vip);
  const served =
    vip.answeredBy === null
      ? paint.bad('nobody answers')
      : `answered by ${paint.strong(vip.answeredBy)} for ${secondsText(world.nowMs - (vip.sinceMs ?? world.nowMs))}`;
  const outage = world.outages.filter((candidate) => candidate.vip === vip.vip).at(-1);
  const last =
    outage === undefined
      ? 'no outage yet'
      : `last outage ${Math.round(outage.outageMs)} ms, ${outage.failedRequests} failed`;
  const members = world.regions.filter((region) => vip.regions.includes(region.region));
  return [
    spread(`${paint.strong(vip.vip)} ${vip.prefix}   ${served}`, last, view.columns),
    ...members.flatMap((region) => regionLines(vip, region, told, world, paint)),
    ...(told?.blocked ?? []).map((b) => paint.warn(`   blocked: ${b.kind} to ${b.region} by ${b.guard}, ${b.detail}`)),
  ];
}

function regionLines(
  vip: WorldVip,
  region: WorldRegion,
  told: StatusVip | undefined,
  world: World,
  paint: Paint,
): string[] {
  const row = told?.regions.find((candidate) => candidate.region === region.region);
  const best = world.onPremises.some((r) => r.prefix === vip.prefix && r.region === region.region && r.best);
  const mode = region.apps[vip.vip]?.mode ?? 'crashed';
  const app = mode === 'ok' ? 'app ok' : paint.bad(`app ${mode}`);
  const nvas = region.nvas
    .map(
      (nva) =>
        `${nva.nva} ${nva.state === 'running' ? 'running' : paint.bad(nva.state)}${nva.controlPath === 'cut' ? paint.bad(' cut off') : ''}`,
    )
    .join(' ');
  const name = region.region.padEnd(13);
  return [
    `${best ? paint.good('=>') : '- '} ${name} ${roleText(row)} ${verdictText(row, paint)} ${app}  ${nvas}  ${heldText(vip, region)}`,
    `     ${pathLine(vip, region, world, paint)}`,
  ];
}

const roleText = (row: StatusRegion | undefined): string =>
  (row === undefined ? '?' : `${row.role} r${row.rung}`).padEnd(11);

function verdictText(row: StatusRegion | undefined, paint: Paint): string {
  const verdict: Verdict = row?.verdict ?? 'unknown';
  const text = `${VERDICT_GLYPHS[verdict]} ${verdict}`.padEnd(11);
  if (verdict === 'healthy') return paint.good(text);
  return verdict === 'unhealthy' || verdict === 'lost' ? paint.bad(text) : paint.warn(text);
}

/** How many of the two instances hold a route of this region. */
function heldText(vip: WorldVip, region: WorldRegion): string {
  const holding = region.routeServers.filter((server) => server.routes.some((route) => route.prefix === vip.prefix));
  const up = region.routeServers.filter((server) =>
    server.sessions.every((session) => session.state === 'Established'),
  );
  return `RS ${holding.length}/${region.routeServers.length}${up.length === region.routeServers.length ? '' : ' session down'}`;
}

/** NVA > edge > on-premises, left to right, with what vanished on the way. */
function pathLine(vip: WorldVip, region: WorldRegion, world: World, paint: Paint): string {
  const edge = region.edge.routes.find((route) => route.prefix === vip.prefix);
  if (edge === undefined) return paint.dim('no route');
  const table = world.onPremises.find((route) => route.prefix === vip.prefix && route.region === region.region);
  const announced = edge.received.slice(1);
  const hops = [asPathText(announced), strippedPathText(edge.received, edge.stripped), asPathText(edge.sent)].join(
    ' > ',
  );
  const length = table === undefined ? '' : `  ${table.asPath.length} long${table.best ? ', best' : ''}`;
  return table?.best === true ? `${hops}${length}` : paint.dim(`${hops}${length}`);
}

// ---------------------------------------------------------------- foot

function decisionLines({ decisions }: View, room: number, paint: Paint): string[] {
  const shown = decisions.slice(-room);
  if (shown.length === 0) return [paint.dim('no decision yet')];
  return shown.map((record) => {
    // Announced is the rule; only the exception is worth the room.
    const [before, after] = [record.Before, record.After].map((row) => row.replace(' announced', ''));
    const change = before === after ? '' : `  ${before} -> ${after}`;
    const who = record.ActorType === 'automation' ? 'auto' : record.Actor;
    return `${record.TimeGenerated.slice(11, 19)} ${who}  ${record.Vip} ${record.Region}  ${record.Reason}${change}`;
  });
}

/** What to type next, as it can be pasted into another terminal. */
function commandsToTry(world: World): string[] {
  const faults = `127.0.0.1:${world.ports.control}/faults`;
  const [vip] = world.vips;
  if (vip === undefined) return [];
  if (world.faults.length > 0) return [`curl -s -X DELETE ${faults}`, anycastctl(`explain ${vip.vip}`)];
  const moved = world.vips.find((seen) => seen.answeredBy !== null && seen.answeredBy !== seen.regions[0]);
  if (moved !== undefined) {
    return [anycastctl(`failback ${moved.vip} --reason "all is well"`), anycastctl(`explain ${moved.vip}`)];
  }
  const region = vip.answeredBy ?? vip.regions[0] ?? '';
  const other = vip.regions.find((candidate) => candidate !== region) ?? region;
  return [
    `curl -s ${faults} -d '${JSON.stringify({ kind: 'app-crash', region })}'`,
    anycastctl(`failover ${vip.vip} --to ${other} --reason "try it" --dry-run`),
  ];
}

const anycastctl = (words: string): string => `npm run -s anycastctl -- ${words}`;

function footLines({ world, status }: View, paint: Paint): string[] {
  const seat = Object.values(world.ports.functions)[0];
  const where = `world 127.0.0.1:${world.ports.control}/world   API 127.0.0.1:${seat}/api   Ctrl-C ends it`;
  const ledger = status?.ledger === 'unreachable' ? [paint.bad('the ledger is unreachable: nothing is decided')] : [];
  return [paint.dim(where), ...ledger];
}

// ---------------------------------------------------------------- text

/** `12 s`, `3 min 5 s`, `2 h 3 min`. */
export function secondsText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return ms < 9950 ? `${(Math.max(0, ms) / 1000).toFixed(1)} s` : `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: this is the escape sequence of terminal colours.
const COLOUR = /\u001b\[[0-9;]*m/g;

/** Characters on the screen, colours not counted. */
export const shownLength = (line: string): number => line.replace(COLOUR, '').length;

function spread(left: string, right: string, columns: number): string {
  const gap = columns - shownLength(left) - shownLength(right);
  return gap >= 2 ? `${left}${' '.repeat(gap)}${right}` : `${left}  ${right}`;
}

/** Cuts a line that is too long; a cut line loses its colours, because a cut escape sequence would paint the rest. */
function cut(line: string, columns: number): string {
  return shownLength(line) <= columns ? line : `${line.replace(COLOUR, '').slice(0, columns - 1)}…`;
}
