// One bounded TCP or TLS connection to an application, with every way it can end named.
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ProbeOutcome } from '../health/window.ts';
import { codeOf, isOwnFailure } from './own-failure.ts';

export interface ConnectionTarget {
  readonly host: string;
  readonly port: number;
  readonly tls?: { readonly verify: boolean };
}

/** What a conversation says of the bytes so far: an outcome, or undefined to wait for more. */
export interface Conversation {
  /** Called once connected. */
  readonly begin?: (socket: Socket) => Verdict | undefined;
  readonly data?: (chunk: Buffer) => Verdict | undefined;
  /** The peer has ended its side. */
  readonly end?: () => Verdict;
}

export type Verdict = { readonly passed: true } | { readonly passed: false; readonly detail: string };

/**
 * Connects, holds the conversation and settles exactly once, at the latest after `timeoutMs`. Never rejects. The socket is
 * destroyed whatever happens: a reset rather than TIME_WAIT, so that many probes do not exhaust local ports.
 */
export function converse(
  target: ConnectionTarget,
  timeoutMs: number,
  conversation: Conversation,
): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const startedMs = performance.now();
    const elapsedMs = () => performance.now() - startedMs;
    let socket: Socket | undefined;
    let isSettled = false;
    const settle = (outcome: ProbeOutcome) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      socket?.destroy();
      resolve(outcome);
    };
    const fail = (detail: string) => settle({ type: 'fail', latencyMs: elapsedMs(), detail });
    const judge = (verdict: Verdict | undefined) => {
      if (verdict === undefined) return;
      if (verdict.passed) settle({ type: 'pass', latencyMs: elapsedMs() });
      else fail(verdict.detail);
    };
    const broken = (error: unknown) => {
      if (isOwnFailure(error)) settle({ type: 'unknown', detail: `our own failure: ${codeOf(error)}` });
      else fail(describe(error));
    };
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    const heard = (chunk: Buffer) => judge(conversation.data?.(chunk));
    try {
      socket = open(target, heard);
    } catch (error) {
      broken(error);
      return;
    }
    const connected = socket;
    connected.setNoDelay(true);
    connected.once(target.tls === undefined ? 'connect' : 'secureConnect', () =>
      judge(conversation.begin?.(connected)),
    );
    connected.on('error', broken);
    connected.once('end', () => judge(conversation.end?.() ?? { passed: false, detail: 'closed by the application' }));
    connected.once('close', () => fail('closed by the application'));
  });
}

/** What every plain connection reads into, one after the other: a buffer of its own for each read costs a third of a probe. */
const READ_BUFFER = Buffer.alloc(16 * 1024);

function open({ host, port, tls }: ConnectionTarget, heard: (chunk: Buffer) => void): Socket {
  if (tls === undefined) {
    const callback = (bytes: number): boolean => {
      heard(Buffer.from(READ_BUFFER.subarray(0, bytes)));
      return true;
    };
    return connectTcp({ host, port, onread: { buffer: READ_BUFFER, callback } });
  }
  const servername = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ host, port, ...servername, rejectUnauthorized: tls.verify }).on('data', heard);
}

function describe(error: unknown): string {
  const code = codeOf(error);
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ECONNRESET':
      return 'connection reset';
    case 'EHOSTUNREACH':
      return 'host unreachable';
    default:
      return code;
  }
}
