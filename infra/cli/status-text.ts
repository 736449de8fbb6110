// The status as people read it: headline, table, what is moving and why, then only what needs saying. Pure.
import type { Status, StatusRegion, StatusVip } from '../../shared/api.ts';
import { VERDICT_GLYPHS } from '../../shared/vocabulary.ts';
import type { Terminal } from './terminal.ts';
import { formatAge, formatClock, renderTable, renderTsv } from './text.ts';

export interface StatusFrame {
  readonly terminal: Pick<Terminal, 'columns' | 'isInteractive' | 'paint'>;
  readonly isWide: boolean;
  readonly context: string;
}

type Drill = NonNullable<StatusVip['lastDrill']>;

const HEAD = ['VIP', 'REGION', 'ROLE', 'SERVES', 'VERDICT', 'PREPEND', 'ROUTE-SERVER', 'CIRCUIT', 'SINCE'];
const WIDE = ['NVA', 'HOLD', 'LATENCY', 'LOSS', 'RATE', 'DRILL'];
/** Narrow terminals keep what decides; the rest is in --json. */
const NARROW = [0, 1, 2, 3, 4, 5];
const COLUMNS_FULL = 100;
const COLUMNS_TABLE = 60;

/** On a pipe: the table alone, tab separated. */
export function renderStatus(status: Status, frame: StatusFrame): string[] {
  const { terminal, isWide } = frame;
  const head = isWide ? [...HEAD, ...WIDE] : HEAD;
  const rows = status.vips.flatMap((vip) =>
    vip.regions.map((region) => [
      ...statusRow(vip, region, status.nowMs),
      ...(isWide ? wideCells(status, vip, region) : []),
    ]),
  );
  if (!terminal.isInteractive) return renderTsv(head, rows);
  const moving = status.vips.filter(isMoving);
  return [
    terminal.paint('bold', headline(status, frame.context)),
    ...moving.map((vip) => terminal.paint('yellow', movingLine(vip, status.nowMs))),
    ...tableLines(head, rows, frame),
    ...moving.flatMap((vip) => movingDetail(vip)),
    ...footer(status, terminal),
  ];
}

function tableLines(head: readonly string[], rows: readonly string[][], { terminal, isWide }: StatusFrame): string[] {
  const hint = '··· more columns on a wider terminal or with --json';
  if (terminal.columns < COLUMNS_TABLE) {
    const block = (row: readonly string[]) =>
      row.flatMap((cell, i) => (cell === '' ? [] : [`${i === 0 ? '' : '  '}${head[i] ?? ''} ${cell}`]));
    return [...rows.flatMap(block), hint];
  }
  if (terminal.columns >= COLUMNS_FULL || isWide) return renderTable(head, rows);
  const pick = (row: readonly string[]) => NARROW.map((i) => row[i] ?? '');
  return [...renderTable(pick(head), rows.map(pick)), hint];
}

function headline(status: Status, context: string): string {
  const leader =
    status.leader === null
      ? 'NO LEADER'
      : `${status.leader} leads, epoch ${status.epoch} generation ${status.generation}`;
  const decided =
    status.decidedAtMs === null ? 'nothing decided yet' : `decided ${formatAge(status.nowMs - status.decidedAtMs)} ago`;
  return [`${status.deployment} (context ${context})`, leader, decided, `automation ${status.automation}`].join('   ');
}

function statusRow(vip: StatusVip, region: StatusRegion, nowMs: number): string[] {
  return [
    vip.vip,
    region.region,
    region.role,
    region.serves === null ? '?' : region.serves ? 'yes' : '',
    `${VERDICT_GLYPHS[region.verdict]} ${region.verdict}`,
    prependCell(region),
    proofCell(region.proofs.routeServer),
    region.proofs.circuit.proof,
    formatAge(nowMs - region.verdictSinceMs),
  ];
}

function wideCells(status: Status, vip: StatusVip, region: StatusRegion): string[] {
  const held = status.holds.find((hold) => hold.vip === null || hold.vip === vip.vip);
  const latency = region.nvas.flatMap((nva) => nva.latencyMs ?? []);
  return [
    region.nvas.map((nva) => `${nva.nva}${nva.acknowledged ? '' : ' behind'}`).join(' '),
    held?.id ?? '',
    latency.length === 0 ? '' : `${Math.round(Math.max(...latency))} ms`,
    region.region === vip.acting ? lossCell(vip) : '',
    region.region === vip.acting ? rateCell(vip) : '',
    region.region === vip.acting && vip.lastDrill ? drillText(vip.lastDrill, status.nowMs) : '',
  ];
}

/** What is on the wire: an agent on last resort announces that, whatever was ordered. */
function prependCell({ state, prepend, rung, nvas }: StatusRegion): string {
  if (state === 'withheld') return 'withheld';
  const fallen = nvas.filter((nva) => nva.lastResort);
  if (fallen.length === 0) return `${prepend} (r${rung})`;
  if (fallen.length < nvas.length) return `${prepend} (r${rung}), ${fallen.length}/${nvas.length} last resort`;
  const told = fallen.flatMap((nva) => nva.sessions).find(({ asPath }) => asPath !== null)?.asPath;
  // Its own number is the first of the path; nothing told means that it withdrew.
  return told ? `${told.length - 1} last resort` : 'no route, last resort';
}

const lossesOf = (vip: StatusVip) =>
  (vip.observers ?? []).flatMap(({ observer, loss }) => (typeof loss === 'number' ? [{ observer, loss }] : []));

function lossCell(vip: StatusVip): string {
  const losses = lossesOf(vip).map(({ loss }) => loss);
  return losses.length === 0 ? '' : percent(Math.max(...losses));
}

/** What the slowest of the observers' newest samples through the vip came with. */
function rateCell(vip: StatusVip): string {
  const rates = (vip.observers ?? []).flatMap(({ throughput }) => throughput?.bytesPerSecond ?? []);
  if (rates.length === 0) return '';
  const slowest = Math.min(...rates);
  return slowest >= 1e6 ? `${Math.round(slowest / 1e5) / 10} MB/s` : `${Math.round(slowest / 100) / 10} kB/s`;
}

const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;

function drillText({ atMs, ok, state, outageMs }: Drill, nowMs: number): string {
  const outage = outageMs === null ? '' : `, ${Math.round(outageMs)} ms without an answer`;
  return `${formatAge(nowMs - atMs)} ago ${ok ? 'proved' : state}${outage}`;
}

/** `2/2 proved`; a detail in words belongs to explain. */
const proofCell = ({ proof, detail }: StatusRegion['proofs']['routeServer']): string =>
  /^\d+\/\d+$/.test(detail) ? `${detail} ${proof}` : proof;

const actingOf = (vip: StatusVip): StatusRegion | undefined => vip.regions.find((one) => one.region === vip.acting);

/** A move is under way while a proof of the acting region is still open. */
function isMoving(vip: StatusVip): boolean {
  const acting = actingOf(vip);
  return acting !== undefined && Object.values(acting.proofs).some(({ proof }) => proof === 'waiting');
}

const movingLine = (vip: StatusVip, nowMs: number): string =>
  `! ${vip.vip} is moving to ${vip.acting}: ${vip.reason}, decision ${vip.decisionId}, ${formatAge(nowMs - vip.actingSinceMs)}`;

function movingDetail(vip: StatusVip): string[] {
  const acting = actingOf(vip);
  if (acting === undefined) return [];
  const nvas = vip.regions.flatMap((region) => region.nvas);
  const acknowledged = `agents acknowledged ${nvas.filter((nva) => nva.acknowledged).length}/${nvas.length}`;
  const { routeServer, circuit, observer } = acting.proofs;
  const proofs = [acknowledged, `Route Server ${proofCell(routeServer)}`, `circuit ${circuit.proof}`];
  return [
    `why    ${vip.detail === '' ? vip.reason : vip.detail}`,
    `proof  ${[...proofs, `observer ${observer.proof}`].join(' · ')}`,
    ...(vip.servedBy === null ? [] : [`       observers are answered by ${vip.servedBy}`]),
    `next   nothing to press. anycastctl explain ${vip.vip}`,
  ];
}

function footer(status: Status, terminal: StatusFrame['terminal']): string[] {
  const unserved = status.vips.filter((vip) =>
    vip.regions.every((r) => r.verdict === 'unhealthy' || r.verdict === 'lost'),
  );
  const moved = status.vips.filter((vip) => vip.regions[0]?.region !== vip.acting);
  return [
    ...(status.ledger === 'ok'
      ? []
      : [terminal.paint('red', `! the ledger is ${status.ledger}: nothing is decided, nothing on the wire changes`)]),
    ...unserved.map((vip) => terminal.paint('red', `! ${vip.vip}: no region is healthy; the prefix stays announced`)),
    ...status.alerts.map((alert) =>
      terminal.paint('yellow', `! ${alert.vip === null ? '' : `${alert.vip}: `}${alert.reason}: ${alert.detail}`),
    ),
    ...status.vips.flatMap((vip) => [
      ...lossesOf(vip)
        .filter(({ loss }) => loss > 0)
        .map(({ observer, loss }) => `${vip.vip}: ${percent(loss)} of the newest looks of ${observer} failed`),
      ...(vip.lastDrill && !vip.lastDrill.ok
        ? [terminal.paint('yellow', `! ${vip.vip}: last drill ${drillText(vip.lastDrill, status.nowMs)}`)]
        : []),
    ]),
    ...moved
      .filter((vip) => !isMoving(vip))
      .map((vip) => `${vip.vip} is on ${vip.acting} because: ${vip.reason}: ${vip.detail}`),
    ...status.vips.flatMap((vip) =>
      vip.blocked.map((b) => `${vip.vip}: ${b.kind} to ${b.region} is held back by ${b.guard}: ${b.detail}`),
    ),
    ...status.holds.map(
      (hold) =>
        `hold ${hold.id} on ${hold.vip ?? 'all vips'} by ${hold.actor} for another ${formatAge(hold.expiresAtMs - status.nowMs)}: ${hold.reason}`,
    ),
    ...(status.operations ?? []).map(
      (one) =>
        `${one.id} waits: ${one.kind} ${one.vip ?? 'all vips'} by ${one.actor}, until ${formatClock(one.deadlineMs)}: ${one.reason}`,
    ),
    [
      `${status.vips.length} vips, ${status.vips.length - moved.length} on their first region.`,
      ...drillSummary(status),
    ].join('   '),
  ];
}

/** The newest drill of all, and the next one that somebody scheduled. */
function drillSummary({ vips, schedules, nowMs }: Status): string[] {
  const drills = vips.flatMap(({ vip, lastDrill }) => (lastDrill ? [{ vip, ...lastDrill }] : []));
  const newest = drills.sort((a, b) => b.atMs - a.atMs)[0];
  const times = (schedules ?? []).flatMap(({ kind, nextAtMs }) => (kind === 'drill' && nextAtMs ? [nextAtMs] : []));
  return [
    ...(newest === undefined ? [] : [`last drill ${drillText(newest, nowMs)} (${newest.vip})`]),
    ...(times.length === 0 ? [] : [`next drill in ${formatAge(Math.min(...times) - nowMs)}`]),
  ];
}
