// Asks a veto webhook over HTTP: one bounded question, one bounded answer, in the veto's own time.
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { OperatingError } from '../../shared/errors.ts';
import type { Veto } from '../../shared/topology-schema.ts';
import type { VetoSource } from '../ports.ts';
import { operating } from './operating-error.ts';

const ANSWER_BYTES_MAX = 4 * 1024;
const DETAIL_LENGTH_MAX = 200;
const answerSchema = z.looseObject({ allow: z.boolean(), reason: z.string().optional() });

export function createVetoWebhook(credential: TokenCredential): VetoSource {
  async function authorization(veto: Veto, abortSignal: AbortSignal): Promise<Record<string, string>> {
    if (veto.audience === undefined) return {};
    const token = await credential.getToken(`${veto.audience}/.default`, { abortSignal });
    return token === null ? {} : { authorization: `Bearer ${token.token}` };
  }

  return {
    ask: (veto, question) =>
      operating('veto', async () => {
        const signal = AbortSignal.timeout(veto.timeoutMs);
        const headers = { 'content-type': 'application/json', ...(await authorization(veto, signal)) };
        const body = JSON.stringify(question);
        // A redirect would send the question, and perhaps a token, elsewhere.
        const response = await fetch(veto.url, { method: 'POST', headers, body, signal, redirect: 'error' });
        const text = await bounded(response);
        if (!response.ok) throw new OperatingError('veto', `answered ${response.status}`, { retryable: true });
        const { allow, reason = '' } = parseAnswer(text);
        return { isAllowed: allow, detail: reason.slice(0, DETAIL_LENGTH_MAX) };
      }),
  };
}

async function bounded(response: Response): Promise<string> {
  let bytes = 0;
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) throw new OperatingError('veto', 'answer too long', { retryable: false });
    text += decoder.decode(part, { stream: true });
  }
  return text;
}

function parseAnswer(text: string): z.infer<typeof answerSchema> {
  try {
    const parsed = answerSchema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
  } catch {
    // Not JSON: no answer that makes sense, like any other form.
  }
  throw new OperatingError('veto', 'the answer is not {"allow": true|false}', { retryable: false });
}
