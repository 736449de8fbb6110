// Asks the control plane for moves as a person does, over its HTTP API, and follows each operation to its end.
import { randomUUID } from 'node:crypto';
import { type Operation, operationSchema } from '../../shared/api.ts';

const POLL_MS = 200;
const TIMEOUT_MS = 10_000;

export interface OperatorOptions {
  readonly seat: string;
  readonly token: () => Promise<string>;
}

export interface Operator {
  /** Starts an operation; `path` is below /api. Throws with the problem document's words when it is refused. */
  start(path: string, body: object): Promise<Operation>;
  /** Follows it until it is not running any more; throws after `timeoutMs`. */
  finish(id: string, timeoutMs: number): Promise<Operation>;
}

export function createOperator({ seat, token }: OperatorOptions): Operator {
  async function call(path: string, init: { method?: string; body?: object } = {}): Promise<Operation> {
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
    if (response.ok) return operationSchema.parse(answer);
    const { title, detail } = answer as { title?: string; detail?: string };
    throw new Error(`${path} was answered ${response.status}: ${title ?? ''} ${detail ?? ''}`.trim());
  }
  return {
    start: (path, body) => call(path, { method: 'POST', body }),
    async finish(id, timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const operation = await call(`operations/${encodeURIComponent(id)}`);
        if (operation.state !== 'running') return operation;
        if (Date.now() > deadline) throw new Error(`${id} still runs after ${timeoutMs} ms: ${stepsText(operation)}`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },
  };
}

/** `committed proved, agent acknowledged proved, route server waiting`. */
export const stepsText = (operation: Operation): string =>
  [
    operation.state,
    ...operation.steps.map((step) => `${step.name} ${step.proof}`),
    ...operation.problems.map((p) => `${p.code}: ${p.detail}`),
  ].join(', ');
