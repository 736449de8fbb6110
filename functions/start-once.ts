// Starts an orchestration at most once per id. The extension overwrites finished ids and answers 500 to running ones,
// so looking first and looking again after an error is ours to do.
import type { DurableClient, DurableOrchestrationStatus } from 'durable-functions';
import { OperatingError } from '../shared/errors.ts';

export type Started = 'started' | 'exists';

/** The part of the durable client that starting needs. */
export type Starter = Pick<DurableClient, 'startNew' | 'getStatus'>;

/** Throws OperatingError when it neither started nor exists. */
export async function startOnce(client: Starter, name: string, instanceId: string, input: unknown): Promise<Started> {
  if (await exists(client, instanceId)) return 'exists';
  try {
    await client.startNew(name, { instanceId, input });
    return 'started';
  } catch (error) {
    // Somebody else was faster, or the answer got lost after the start.
    if (await exists(client, instanceId)) return 'exists';
    const detail = error instanceof Error ? error.message : String(error);
    throw new OperatingError('durable-start', `${instanceId}: ${detail}`.slice(0, 500), {
      retryable: true,
      cause: error,
    });
  }
}

export const exists = async (client: Pick<DurableClient, 'getStatus'>, instanceId: string): Promise<boolean> =>
  (await findStatus(client, instanceId)) !== undefined;

/** Undefined when there is no such instance; throws OperatingError when nobody could tell. */
export async function findStatus(
  client: Pick<DurableClient, 'getStatus'>,
  instanceId: string,
): Promise<DurableOrchestrationStatus | undefined> {
  try {
    return await client.getStatus(instanceId);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    const detail = error instanceof Error ? error.message : String(error);
    throw new OperatingError('durable-status', `${instanceId}: ${detail}`.slice(0, 500), {
      retryable: true,
      cause: error,
    });
  }
}

/** The SDK throws on 404; only its message says so. */
export const isNotFound = (error: unknown): boolean => error instanceof Error && error.message.includes('HTTP 404');
