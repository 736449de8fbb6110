// Asks the control plane for moves as a person does, over its HTTP API, and follows each operation to its end.
import { randomUUID } from 'node:crypto';
import { type Operation, operationSchema, type Plan, planSchema } from '../../shared/api.ts';

const POLL_MS = 200;
const TIMEOUT_MS = 10_000;

export interface OperatorOptions {
  readonly seat: string;
  readonly token: () => Promise<string>;
}

export interface Operator {
  /** What the move would do, and whether it would be allowed; changes nothing. */
  preview(path: string, body: object): Promise<Plan>;
  /** Starts an operation; `path` is below /api. Throws with the problem document's words when it is refused. */
  start(path: string, body: object): Promise<Operation>;
  /** Follows it until it is not running any more; throws after `timeoutMs`. */
  finish(id: string, timeoutMs: number): Promise<Operation>;
}

export function createOperator({ seat, token }: OperatorOptions): Operator {
  async function call(path: string, init: { method?: string; body?: object } = {}): Promise<unknown> {
    const headers: Record<string, string> = { authorization: `Bearer ${await token()}` };
    if (init.body !== undefined) {
      headers['content-type'] = 'application/json';
      headers['idempotency-key'] = randomUUID();
    }
    const response = await fetch(`${seat}/api/${path}`, {
      method: init.method ?? 'GET',
      headers,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
    });
    const answer: unknown = await response.json();
    if (response.ok) return answer;
    const { title, detail } = answer as { title?: string; detail?: string };
    throw new Error(`${path} was answered ${response.status}: ${title ?? ''} ${detail ?? ''}`.trim());
  }
  return {
    preview: async (path, body) =>
      planSchema.parse(await call(path, { method: 'POST', body: { ...body, dryRun: true } })),
    start: async (path, body) => operationSchema.parse(await call(path, { method: 'POST', body })),
    async finish(id, timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const operation = operationSchema.parse(await call(`operations/${encodeURIComponent(id)}`));
        if (isOver(operation)) return operation;
        if (Date.now() > deadline) throw new Error(`${id} still runs after ${timeoutMs} ms: ${stepsText(operation)}`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },
  };
}

/** The state of a drill is that of its leg under way; only its report says that both are done. */
const isOver = (operation: Operation): boolean =>
  operation.state !== 'running' &&
  (operation.kind !== 'drill' || operation.state !== 'proved' || operation.report !== undefined);

/** `9 steps proved, 1 not checked`. */
export function stepCounts(operation: Operation): string {
  const of = (proof: string) => operation.steps.filter((step) => step.proof === proof).length;
  const open = operation.steps.length - of('proved') - of('not checked');
  const parts = [`${of('proved')} steps proved`];
  if (of('not checked') > 0) parts.push(`${of('not checked')} not checked`);
  if (open > 0) parts.push(`${open} superseded by a newer decision and proved with it`);
  return parts.join(', ');
}

/** `committed proved, agent acknowledged proved, route server waiting`. */
export const stepsText = (operation: Operation): string =>
  [
    operation.state,
    ...operation.steps.map((step) => `${step.name} ${step.proof}`),
    ...operation.problems.map((p) => `${p.code}: ${p.detail}`),
  ].join(', ');
