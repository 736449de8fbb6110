// Root's overrides: their form, their bounds, and the file that keeps them over a restart.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { problem } from '../../shared/errors.ts';
import { pathText } from '../../shared/topology.ts';
import type { AgentPlan, Override } from '../agent.ts';
import { realDisk, type StateDisk } from './order-store.ts';

/** Longest life of an override: a forgotten one must not outlive the incident by much. */
export const OVERRIDE_SECONDS_MAX = 24 * 3600;

export const overrideRequestSchema = z.discriminatedUnion('action', [
  z.strictObject({
    vip: z.string().min(1),
    action: z.enum(['announce', 'last-resort', 'withhold']),
    reason: z.string().min(3).max(500),
    seconds: z.int().min(1).max(OVERRIDE_SECONDS_MAX),
  }),
  z.strictObject({ vip: z.string().min(1), action: z.literal('end'), reason: z.string().min(3).max(500) }),
]);
export type OverrideRequest = z.infer<typeof overrideRequestSchema>;

const fileSchema = z.array(
  z.strictObject({
    vip: z.string(),
    action: z.enum(['announce', 'last-resort', 'withhold']),
    reason: z.string(),
    setAtMs: z.number(),
    expiresAtMs: z.number(),
  }),
);

const fileOf = (directory: string): string => join(directory, 'overrides.json');

/** Writes the whole set. Rejects when the disk does: an override that would not survive a restart is refused. */
export const persistOverrides = (directory: string, overrides: readonly Override[], disk: StateDisk = realDisk) =>
  disk.write(fileOf(directory), `${JSON.stringify(overrides)}\n`);

/** The overrides still alive, or why the file was refused. No file is no override. */
export async function loadOverrides(directory: string, wallMs: number): Promise<readonly Override[] | string> {
  let text: string;
  try {
    text = await readFile(fileOf(directory), 'utf8');
  } catch {
    return [];
  }
  try {
    const parsed = fileSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data.filter((override) => override.expiresAtMs > wallMs) : 'malformed';
  } catch {
    return 'not JSON';
  }
}

export interface OverrideContext {
  readonly plan: AgentPlan;
  readonly overrides: readonly Override[];
  readonly stateDirectory: string;
  readonly nowMs: number;
  readonly disk: StateDisk;
  readonly apply: (event: { type: 'override'; override: Override } | { type: 'override-ended'; vip: string }) => void;
}

/** One override request through its one door: checked, persisted, then applied. */
export async function answerOverride(
  body: unknown,
  context: OverrideContext,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const parsed = overrideRequestSchema.safeParse(body);
  if (!parsed.success) {
    const errors = parsed.error.issues.map((i) => ({ path: pathText(i.path), code: 'malformed', message: i.message }));
    return { status: 400, body: problem(400, 'malformed', 'Override refused', { errors }) };
  }
  const request = parsed.data;
  if (!context.plan.vips.some((vip) => vip.vip === request.vip)) {
    return { status: 404, body: problem(404, 'unknown-vip', 'No such vip on this NVA', { detail: request.vip }) };
  }
  const others = context.overrides.filter((override) => override.vip !== request.vip);
  const override = request.action === 'end' ? undefined : overrideOf(request, context.nowMs);
  try {
    await persistOverrides(
      context.stateDirectory,
      override === undefined ? others : [...others, override],
      context.disk,
    );
  } catch (error) {
    return { status: 503, body: problem(503, 'not-persisted', 'Override not kept', { detail: String(error) }) };
  }
  context.apply(override === undefined ? { type: 'override-ended', vip: request.vip } : { type: 'override', override });
  return { status: 200, body: { accepted: true, override: override ?? null } };
}

function overrideOf(request: Exclude<OverrideRequest, { action: 'end' }>, nowMs: number): Override {
  const { vip, action, reason, seconds } = request;
  const setAtMs = Math.round(nowMs);
  return { vip, action, reason, setAtMs, expiresAtMs: setAtMs + seconds * 1000 };
}
