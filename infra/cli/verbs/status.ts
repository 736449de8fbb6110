// anycastctl status and explain: who serves, why, what to press.
import { explainSchema, type Status, type StatusRegion, type StatusVip, statusSchema } from '../../../shared/api.ts';
import { VERDICT_GLYPHS } from '../../../shared/vocabulary.ts';
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts';
import { printJson, type Session } from '../session.ts';
import { formatAge, renderTable, renderTsv } from '../text.ts';

export async function showStatus(session: Session, vip: string | undefined): Promise<ExitCode> {
  const { value } = await session.client.call('/status', statusSchema);
  const status = vip === undefined ? value : { ...value, vips: value.vips.filter((v) => v.vip === vip) };
  if (session.json) printJson(session, status);
  else for (const line of renderStatus(status, session)) session.terminal.print(line);
  if (status.ledger === 'ok') return EXIT.done;
  throw new CliError(EXIT.error, `The ledger is ${status.ledger}: ${status.seat} can neither read nor decide.`, {
    why: status.alerts.map((alert) => `${alert.reason}: ${alert.detail}`),
    next: ['Nothing on the wire changes by itself; the agents keep their last orders.'],
  });
}

/** Clears and redraws on a terminal; prints a line per change otherwise; one JSON document per line with --json. */
export async function watchStatus(
  session: Session,
  everySeconds: number,
  rounds = Number.POSITIVE_INFINITY,
): Promise<ExitCode> {
  let before = '';
  for (let round = 0; round < rounds; round++) {
    if (round > 0) await session.terminal.sleep(everySeconds * 1000);
    const { value } = await session.client.call('/status', statusSchema);
    if (session.json) session.terminal.print(JSON.stringify(value));
    else if (session.terminal.isInteractive)
      session.terminal.print(`\u001b[H\u001b[2J${renderStatus(value, session).join('\n')}`);
    else before = printChanges(session, value, before);
  }
  return EXIT.done;
}

function printChanges(session: Session, status: Status, before: string): string {
  const now = status.vips.map(
    (vip) =>
      `${vip.vip} acting ${vip.acting}, ${vip.regions.map((r) => `${r.region} ${r.verdict} ×${r.prepend}`).join(', ')}`,
  );
  const text = now.join('\n');
  if (text !== before)
    for (const line of now) session.terminal.print(`${new Date(status.nowMs).toISOString()} ${line}`);
  return text;
}

export async function showExplanation(session: Session, vip: string): Promise<ExitCode> {
  const { value } = await session.client.call(`/explain/${encodeURIComponent(vip)}`, explainSchema);
  if (session.json) printJson(session, value);
  else for (const line of value.lines) session.terminal.print(line);
  return EXIT.done;
}

const HEAD = ['VIP', 'REGION', 'ROLE', 'SERVES', 'VERDICT', 'PREPEND', 'ROUTE-SERVER', 'CIRCUIT', 'SINCE'];
/** Narrow terminals keep what decides; the rest is in --json. */
const NARROW = [0, 1, 2, 3, 4, 5];

/** The status as lines: headline, table, then only what needs saying. On a pipe: the table alone, tab separated. */
export function renderStatus(status: Status, session: Pick<Session, 'terminal' | 'client'>): string[] {
  const rows = status.vips.flatMap((vip) => vip.regions.map((region) => statusRow(vip, region, status.nowMs)));
  const { terminal } = session;
  if (!terminal.isInteractive) return renderTsv(HEAD, rows);
  const narrow = terminal.columns < 100;
  const pick = (row: readonly string[]) => (narrow ? NARROW.map((i) => row[i] ?? '') : row);
  return [
    terminal.paint('bold', headline(status, session.client.context.name)),
    ...renderTable(pick(HEAD), rows.map(pick)),
    ...(narrow ? ['··· more columns on a wider terminal or with --json'] : []),
    ...footer(status, terminal),
  ];
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
    region.state === 'withheld' ? 'withheld' : `${region.prepend} (r${region.rung})`,
    proofCell(region.proofs.routeServer),
    region.proofs.circuit.proof,
    formatAge(nowMs - region.verdictSinceMs),
  ];
}

/** `2/2 proved`; a detail in words belongs to explain. */
const proofCell = ({ proof, detail }: StatusRegion['proofs']['routeServer']): string =>
  /^\d+\/\d+$/.test(detail) ? `${detail} ${proof}` : proof;

function footer(status: Status, terminal: Session['terminal']): string[] {
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
    ...moved.map((vip) => `${vip.vip} is on ${vip.acting} because: ${vip.reason}: ${vip.detail}`),
    ...status.vips.flatMap((vip) =>
      vip.blocked.map((b) => `${vip.vip}: ${b.kind} to ${b.region} is held back by ${b.guard}: ${b.detail}`),
    ),
    ...status.holds.map(
      (hold) =>
        `hold ${hold.id} on ${hold.vip ?? 'all vips'} by ${hold.actor} for another ${formatAge(hold.expiresAtMs - status.nowMs)}: ${hold.reason}`,
    ),
    `${status.vips.length} vips, ${status.vips.length - moved.length} on their first region.`,
  ];
}
