// The status of the agent as text for a terminal.
import { VERDICT_GLYPHS } from '../shared/vocabulary.ts';
import type { AgentStatus } from './control/status.ts';
import type { DataPlaneView, DataPlaneVipView } from './data-plane-view.ts';

type Row = readonly string[];

const pad = (rows: readonly Row[]): string[] => {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
};

/** Age in the largest unit that says something: 850ms, 12s, 7m, 3h, 5d. */
export function formatAge(ageMs: number): string {
  if (ageMs < 1000) return `${Math.max(0, Math.round(ageMs))}ms`;
  const steps: [number, string][] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'm'],
    [1000, 's'],
  ];
  const [unitMs, unit] = steps.find(([size]) => ageMs >= size) ?? [1000, 's'];
  return `${Math.floor(ageMs / unitMs)}${unit}`;
}

/** Who carries traffic how, whom connections are shared with, and whether a stop would break any. */
export function dataPlaneLines({ vips, problem, peers }: DataPlaneView): string[] {
  const chance = ({ secondChance }: DataPlaneVipView) =>
    secondChance === undefined
      ? '-'
      : `${secondChance.peer} ${secondChance.phase}, ${formatAge(secondChance.endsInMs)} left`;
  return [
    ...pad([
      ['TRAFFIC', 'MODE', 'APPLIED', 'CONNECTIONS', 'SHARED WITH', 'SAFE TO STOP'],
      ...vips.map((vip) => [
        vip.vip,
        vip.mode,
        vip.applied ? 'yes' : 'NO',
        String(vip.established),
        chance(vip),
        vip.safeToStop ? 'yes' : 'no',
      ]),
    ]),
    ...peers.map(({ nva, isProved }) => `tunnel to ${nva}: ${isProved ? 'proved' : 'NOT proved'}`),
    ...(problem === undefined ? [] : [`! data plane: ${problem}`]),
  ];
}

/** Vips first: what users feel; then sessions, orders and overrides. */
export function formatStatus(status: AgentStatus): string {
  const since = (ms: number) => formatAge(status.atMs - ms);
  const vips = pad([
    ['VIP', 'PREFIX', 'VERDICT', 'WINDOW', 'ANNOUNCED', 'SINCE', 'DETAIL'],
    ...status.vips.map((vip) => [
      vip.vip,
      vip.prefix,
      `${VERDICT_GLYPHS[vip.local.verdict]} ${vip.local.verdict}`,
      vip.local.window,
      vip.announced === null
        ? 'no'
        : `rung ${vip.announced.rung} ×${vip.announced.prepend}${vip.announced.lastResort ? ' last resort' : ''}`,
      since(vip.announced?.sinceMs ?? vip.local.sinceMs),
      vip.local.detail ?? '',
    ]),
  ]);
  const sessions = pad([
    ['PEER', 'STATE', 'SINCE', 'HOLD', 'ROUTES'],
    ...status.sessions.map((session) => [
      session.peer,
      session.state,
      since(session.sinceMs),
      session.holdSeconds === null ? '-' : `${session.holdSeconds}s`,
      String(session.routes.length),
    ]),
  ]);
  const orders = Object.entries(status.orders).map(
    ([group, { epoch, generation, issuedAtMs }]) =>
      `order ${group}: epoch ${epoch} generation ${generation}, issued ${since(issuedAtMs)} ago`,
  );
  const overrides = status.overrides.map(
    (override) =>
      `! override ${override.vip}: ${override.action} for ${formatAge(override.expiresAtMs - status.atMs)} more: ${override.reason}`,
  );
  const up = status.sessions.filter((session) => session.state === 'Established').length;
  const bgp = [
    ...(status.bgp.state === 'up'
      ? []
      : [`! BGP is ${status.bgp.state}: ${up} of ${status.sessions.length} sessions up`]),
    ...(status.bgp.differing.length === 0
      ? []
      : [`! the peers were told differently: ${status.bgp.differing.join(', ')}`]),
  ];
  const dataPlane = status.dataPlane === null ? [] : ['', ...dataPlaneLines(status.dataPlane)];
  const head = `${status.nva} in ${status.region}, ${status.phase}, version ${status.version}, up ${since(status.startedAtMs)}`;
  const ordersText = orders.length === 0 ? ['no order was ever accepted'] : orders;
  return `${[head, '', ...vips, '', ...sessions, ...bgp, ...dataPlane, '', ...ordersText, ...overrides].join('\n')}\n`;
}
