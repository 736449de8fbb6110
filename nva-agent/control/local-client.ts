// Asks the agent of this machine over its unix socket: for `status` and `override`, which need no TLS there.
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join, resolve } from 'node:path';
import { err, formatFindings, ok, type Result } from '../../shared/result.ts';
import { codeOf } from '../probes/own-failure.ts';
import { parseAgentFile } from './config.ts';

export const SOCKET_NAME = 'agent.sock';
const TIMEOUT_MS = 10_000;

export interface LocalFailure {
  /** 1 refused by the agent, 2 bad agent.yaml, 3 no agent answers. */
  readonly exit: 1 | 2 | 3;
  readonly message: string;
}

/**
 * One request to the running agent. Only agent.yaml is read, not the topology: root must be able to act when that one
 * is broken.
 */
export async function askLocalAgent(
  file: string,
  method: 'GET' | 'PUT',
  path: string,
  body?: unknown,
): Promise<Result<unknown, LocalFailure>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    return err({ exit: 2, message: `${file}: ${codeOf(error)}` });
  }
  const parsed = parseAgentFile(text);
  if (!parsed.ok) return err({ exit: 2, message: formatFindings(parsed.error) });
  const socketPath = join(resolve(dirname(resolve(file)), parsed.value.stateDirectory), SOCKET_NAME);
  try {
    const { status, text: answer } = await exchange(socketPath, method, path, body);
    const value: unknown = JSON.parse(answer);
    return status < 300 ? ok(value) : err({ exit: 1, message: answer });
  } catch (error) {
    return err({ exit: 3, message: `no agent answers on ${socketPath}: ${codeOf(error)}` });
  }
}

function exchange(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, method, path, timeout: TIMEOUT_MS }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asking.on('timeout', () => asking.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    asking.on('error', reject);
    asking.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
