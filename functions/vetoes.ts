// Asks the configured webhooks before automation changes who acts, and decides again with what they refused.
import type { Veto, Vip } from '../shared/topology-schema.ts';
import { attempt } from './activities/attempt.ts';
import { draft } from './audit-drafts.ts';
import { type Look, type Looked, look } from './decision.ts';
import type { Plane } from './deployment.ts';
import type { Decision, VetoEvidence } from './engine/types.ts';
import { VETO_ASKS_MAX, VETO_ROUNDS_MAX, VETO_TIME_MS } from './limits.ts';
import type { VetoQuestion } from './ports.ts';

interface Asked {
  readonly question: VetoQuestion;
  readonly answer: 'allowed' | 'refused' | 'no-answer';
  /** Whether the move may go on: no answer means what the veto says it means. */
  readonly mayMove: boolean;
  readonly detail: string;
  readonly tookMs: number;
}

/** The look with everybody asked who has a word in it: at most VETO_TIME_MS longer than without. */
export async function lookWithVetoes(plane: Plane, at: Look): Promise<Looked> {
  const untilMs = plane.clock.nowMs() + VETO_TIME_MS;
  const asked: Asked[] = [];
  let current = at;
  let looked = look(current);
  for (let round = 0; round <= VETO_ROUNDS_MAX; round += 1) {
    const open = openQuestions(current, looked.decision, asked);
    if (open.length === 0) break;
    const leftMs = round === VETO_ROUNDS_MAX ? 0 : untilMs - plane.clock.nowMs();
    const answers = await Promise.all(open.map((one, i) => ask(plane, one, i < VETO_ASKS_MAX ? leftMs : 0)));
    asked.push(...answers);
    const refused = answers.filter((one) => !one.mayMove);
    if (refused.length === 0) break;
    current = { ...current, snapshot: { ...current.snapshot, vetoes: withRefusals(current, refused) } };
    looked = look(current);
  }
  await keepRefusals(plane, current, asked);
  return asked.length === 0 ? looked : withRecords(current, looked, asked);
}

interface Open {
  readonly veto: Veto;
  readonly question: VetoQuestion;
}

const vetoOf = (at: Look, vip: Vip): Veto | undefined => vip.veto ?? at.config.guards.veto;

/** Changes of the acting region that automation is about to make and that were not asked about in this look. */
function openQuestions(at: Look, decision: Decision, asked: readonly Asked[]): Open[] {
  return decision.actions.flatMap((action): Open[] => {
    const vip = at.config.vips.find((candidate) => candidate.name === action.vip);
    const from = at.ledger.policy.vips[action.vip]?.acting;
    const to = decision.policy.vips[action.vip]?.acting;
    const veto = vip && vetoOf(at, vip);
    const isMove = to !== undefined && from !== undefined && from !== to && action.region === to;
    const isKnown = asked.some(({ question }) => question.vip === action.vip && question.to === to);
    if (!vip || !veto || !isMove || isKnown || action.kind === 'role' || action.actorType !== 'automation') return [];
    const verdict = decision.verdicts[action.vip]?.[from]?.verdict;
    const { kind, reason, detail } = action;
    const isNecessary = verdict === 'unhealthy' || verdict === 'lost';
    const where = { deployment: at.config.topology.name, group: at.ledger.group, vip: vip.name, prefix: vip.prefix };
    const mark = { decisionId: at.snapshot.decisionId, atMs: at.nowMs };
    return [{ veto, question: { ...where, from, to, kind, reason, detail, isNecessary, ...mark } }];
  });
}

/** Never throws, and never takes longer than it is given. */
async function ask(plane: Plane, { veto, question }: Open, leftMs: number): Promise<Asked> {
  const beganMs = plane.clock.nowMs();
  const said = await attempt(async () => {
    const source = plane.vetoes;
    const timeoutMs = Math.min(veto.timeoutMs, leftMs);
    if (source === undefined || timeoutMs <= 0)
      return { ok: false as const, code: 'veto', detail: 'could not be asked' };
    return { ok: true as const, ...(await source.ask({ ...veto, timeoutMs }, question)) };
  });
  const tookMs = plane.clock.nowMs() - beganMs;
  if (said.ok) {
    const { isAllowed, detail } = said;
    return { question, answer: isAllowed ? 'allowed' : 'refused', mayMove: isAllowed, detail, tookMs };
  }
  return { question, answer: 'no-answer', mayMove: veto.onTimeout === 'allow', detail: said.detail, tookMs };
}

function withRefusals(at: Look, refused: readonly Asked[]): Look['snapshot']['vetoes'] {
  const vetoes: Record<string, VetoEvidence> = { ...at.snapshot.vetoes };
  for (const { question, detail, answer } of refused) {
    const { vip, to, isNecessary } = question;
    const known = vetoes[vip];
    const isSame = known?.atMs === at.nowMs;
    const said =
      answer === 'refused' ? `refused: ${detail || 'no reason given'}` : `no answer (${detail}), which denies`;
    vetoes[vip] = { atMs: at.nowMs, detail: said, targets: [...((isSame && known.targets) || []), to], isNecessary };
  }
  return vetoes;
}

/** A refusal counts for a while without asking again, and is there to be explained. Losing it costs a question. */
async function keepRefusals(plane: Plane, at: Look, asked: readonly Asked[]): Promise<void> {
  const vips = new Set(asked.filter((one) => !one.mayMove).map((one) => one.question.vip));
  await Promise.all(
    [...vips].map((vip) =>
      attempt(async () => {
        const veto = at.snapshot.vetoes[vip];
        if (veto !== undefined) await plane.reports.putVeto(at.ledger.group, vip, veto);
        return { ok: true as const };
      }),
    ),
  );
}

/** Every question and its answer is on record, also when nothing else is to be written. */
function withRecords(at: Look, looked: Looked, asked: readonly Asked[]): Looked {
  const records = asked.map(({ question, answer, mayMove, detail, tookMs }) =>
    draft(at.nowMs, 'decision', {
      DecisionId: question.decisionId,
      CorrelationId: at.correlationId,
      SnapshotHash: at.snapshotHash,
      Vip: question.vip,
      Region: question.to,
      Reason: `veto-${answer}`,
      Detail: { from: question.from, kind: question.kind, isNecessary: question.isNecessary, mayMove, detail, tookMs },
    }),
  );
  const change = looked.change ?? { ledger: at.ledger, drafts: [] };
  return { ...looked, change: { ...change, drafts: [...change.drafts, ...records] } };
}
