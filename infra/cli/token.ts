// Where a bearer token comes from: ANYCAST_TOKEN, the lab's own issuer, or Entra ID through @azure/identity.
import { ask } from './ask.ts';
import type { Context } from './context.ts';
import { CliError, EXIT } from './exit-codes.ts';

/**
 * A function that gets the token once and then remembers it for the rest of this command. `onSent` is called where the lab
 * is asked for it: time to do something useful.
 */
export function tokenSource(
  context: Context,
  env: Readonly<Record<string, string | undefined>>,
): (onSent?: () => void) => Promise<string | undefined> {
  let token: Promise<string | undefined> | undefined;
  return (onSent) => {
    token ??= acquire(context, env, onSent);
    return token;
  };
}

async function acquire(
  context: Context,
  env: Readonly<Record<string, string | undefined>>,
  onSent?: () => void,
): Promise<string | undefined> {
  if (env.ANYCAST_TOKEN !== undefined) return env.ANYCAST_TOKEN;
  if (context.tokenUrl !== undefined) return labToken(context.tokenUrl, onSent);
  if (context.audience !== undefined) return entraToken(context.audience);
  return undefined;
}

async function labToken(url: string, onSent?: () => void): Promise<string> {
  try {
    const response = await ask(url, { signal: AbortSignal.timeout(5000), ...(onSent !== undefined && { onSent }) });
    const body = (await response.json()) as { access_token?: unknown };
    if (response.ok && typeof body.access_token === 'string') return body.access_token;
    throw new Error(`HTTP ${response.status}`);
  } catch (error) {
    throw new CliError(EXIT.noSeat, 'The lab does not answer.', {
      why: [`${url}: ${error instanceof Error ? error.message : String(error)}`],
      next: ['Start it with: npm start', 'Or name a control plane with --context or --url.'],
      cause: error,
    });
  }
}

async function entraToken(audience: string): Promise<string> {
  // Loaded on demand: it takes longer than most commands.
  const { DefaultAzureCredential } = await import('@azure/identity');
  try {
    const result = await new DefaultAzureCredential().getToken(`${audience}/.default`);
    if (result === null) throw new Error('no token');
    return result.token;
  } catch (error) {
    throw new CliError(EXIT.signIn, 'Nobody is signed in to Azure.', {
      why: [error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)],
      next: [`az login --scope ${audience}/.default`],
      cause: error,
    });
  }
}
