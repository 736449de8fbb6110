// Sends reports over keep-alive connections to a seat, a bounded number at once, and measures each.
import { Agent, type IncomingMessage, request } from 'node:http';

export interface ReportLoad {
  readonly origin: string;
  readonly token: string;
  readonly count: number;
  /** Connections, each with one report under way. */
  readonly connections: number;
  /** Path and text of the report with this number, from 0. */
  readonly report: (index: number) => { readonly path: string; readonly body: string };
}

export interface LoadFigures {
  readonly perSecond: number;
  /** Sorted, ms. */
  readonly tookMs: readonly number[];
}

/** Nothing is sent anew: a report without an answer within this time is an error. */
const ANSWER_MS = 10_000;

/** Throws when any report is not accepted: a figure of refusals would be worth nothing. */
export async function sendReports(load: ReportLoad): Promise<LoadFigures> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  const tookMs: number[] = [];
  let next = 0;
  const lane = async () => {
    while (next < load.count) {
      const index = next;
      next += 1;
      const { path, body } = load.report(index);
      const startMs = performance.now();
      const { status, text } = await post(new URL(path, load.origin), load.token, body, agent);
      tookMs.push(performance.now() - startMs);
      if (status !== 200) throw new Error(`report ${index} is answered ${status}: ${text.slice(0, 200)}`);
    }
  };
  const beganMs = performance.now();
  try {
    await Promise.all(Array.from({ length: load.connections }, lane));
    const perSecond = Math.round((load.count / (performance.now() - beganMs)) * 1000);
    return { perSecond, tookMs: tookMs.sort((a, b) => a - b) };
  } finally {
    agent.destroy();
  }
}

/** One POST with a bearer token; rejects when there is no answer in time. */
export function post(
  url: URL,
  token: string,
  body: string,
  agent?: Agent,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const options = { method: 'POST', headers, timeout: ANSWER_MS, ...(agent && { agent }) };
    const sent = request(url, options, (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
    sent.on('error', reject);
    sent.end(body);
  });
}
