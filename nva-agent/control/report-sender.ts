// Sends the newest reports to every seat: at most one request in flight per seat, so that a slow one delays nobody.
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { OperatingError } from '../../shared/errors.ts';
import { codeOf } from '../probes/own-failure.ts';
import type { TokenSource } from './identity-token.ts';

export interface SeatAddress {
  readonly name: string;
  /** Origin of the seat, http on loopback only. */
  readonly url: string;
  readonly audience: string;
}

/** Why a report did not arrive, or that it did. */
export interface ReportOutcome {
  readonly seat: string;
  readonly group: string;
  readonly error?: string;
}

export interface ReportSenderOptions {
  readonly seats: readonly SeatAddress[];
  /** Name in the path: an NVA's or an observer's. */
  readonly sender: string;
  /** Absent: the client certificate speaks for the sender. */
  readonly tokens?: TokenSource;
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  /** Built when a request is about to start, so that what is sent is never older than that. One per group. */
  readonly build: (seat: string) => readonly { readonly group: string; readonly body: string }[];
  readonly onOrder: (jws: string, seat: string) => void;
  readonly onOutcome: (outcome: ReportOutcome) => void;
}

export interface ReportSender {
  /** Something is new: report within COALESCE_MS, or as soon as the request in flight has ended. */
  report(): void;
  /** Resolves when every seat has answered or failed for what was known at the call, at the latest after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>;
  stop(): void;
}

/** Changes this close together travel in one report. */
export const COALESCE_MS = 5;
/** A seat that takes longer than this has not heard the report. */
export const REQUEST_TIMEOUT_MS = 5000;
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

export function createReportSender(options: ReportSenderOptions): ReportSender {
  const lanes = options.seats.map((seat) => createLane(seat, options));
  let timer: NodeJS.Timeout | undefined;
  const kick = () => {
    timer = undefined;
    for (const lane of lanes) lane.send();
  };
  return {
    report: () => {
      timer ??= setTimeout(kick, COALESCE_MS);
    },
    flush: async (timeoutMs) => {
      clearTimeout(timer);
      kick();
      let deadline: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        deadline = setTimeout(resolve, timeoutMs);
      });
      await Promise.race([late, Promise.all(lanes.map((lane) => lane.idle()))]);
      clearTimeout(deadline);
    },
    stop: () => {
      clearTimeout(timer);
      for (const lane of lanes) lane.stop();
    },
  };
}

interface Lane {
  send(): void;
  idle(): Promise<void>;
  stop(): void;
}

/** One seat's lane. What comes in while a request is in flight is sent once afterwards, in its newest form. */
function createLane(seat: SeatAddress, options: ReportSenderOptions): Lane {
  const isTls = seat.url.startsWith('https:');
  const connection = { keepAlive: true, maxSockets: 1, keepAliveMsecs: 10_000 };
  const agent = isTls ? new HttpsAgent({ ...connection, ...options.tls }) : new HttpAgent(connection);
  let running: Promise<void> | undefined;
  let isWanted = false;
  let isStopped = false;

  const run = async () => {
    while (isWanted && !isStopped) {
      isWanted = false;
      for (const { group, body } of options.build(seat.name)) {
        const error = await post(seat, agent, group, body, options);
        if (!isStopped) options.onOutcome({ seat: seat.name, group, ...(error === undefined ? {} : { error }) });
      }
    }
    running = undefined;
  };
  return {
    send: () => {
      isWanted = true;
      running ??= run();
    },
    idle: async () => {
      await running;
    },
    stop: () => {
      isStopped = true;
      agent.destroy();
    },
  };
}

/** One report to one seat; the reason when it did not arrive. Nothing is retried here: the next period sends a newer one. */
async function post(
  seat: SeatAddress,
  agent: HttpAgent,
  group: string,
  body: string,
  options: ReportSenderOptions,
): Promise<string | undefined> {
  try {
    const token = await options.tokens?.token(seat.audience);
    const { status, text } = await exchange(seat, agent, options.sender, body, token);
    if (status === 401) options.tokens?.forget(seat.audience);
    if (status < 200 || status > 299) return `HTTP ${status}`;
    const order = orderIn(text);
    if (order !== undefined) options.onOrder(order, seat.name);
    return undefined;
  } catch (error) {
    if (error instanceof OperatingError) return error.message;
    return `${group}: ${codeOf(error)}`;
  }
}

function orderIn(text: string): string | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === 'object' && answer !== null && 'order' in answer && typeof answer.order === 'string'
      ? answer.order
      : undefined;
  } catch {
    return undefined;
  }
}

function exchange(
  seat: SeatAddress,
  agent: HttpAgent,
  sender: string,
  body: string,
  token: string | undefined,
): Promise<{ status: number; text: string }> {
  const url = new URL(`${seat.url.replace(/\/$/, '')}/api/agents/${sender}/reports`);
  const options: RequestOptions = {
    method: 'POST',
    agent,
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  };
  return new Promise((resolve, reject) => {
    const asking = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, (answer: IncomingMessage) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > ANSWER_BYTES_MAX) asking.destroy(new Error('answer too long'));
      });
      answer.on('end', () => settle(() => resolve({ status: answer.statusCode ?? 0, text })));
      answer.on('error', (error) => settle(() => reject(error)));
    });
    // A deadline for the whole exchange: a seat that trickles bytes would never trip an idle timeout.
    const deadline = setTimeout(
      () => asking.destroy(new Error(`no answer within ${REQUEST_TIMEOUT_MS} ms`)),
      REQUEST_TIMEOUT_MS,
    );
    const settle = (then: () => void) => {
      clearTimeout(deadline);
      then();
    };
    asking.on('error', (error) => settle(() => reject(error)));
    asking.end(body);
  });
}
