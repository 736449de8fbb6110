// BIRD's control socket: a few commands and their replies over one connection, bounded in time and size.
import { createConnection, type Socket } from 'node:net';
import { OperatingError } from '../../shared/errors.ts';
import { type BirdReply, takeReply } from './bird-answers.ts';
import { plainText } from './daemon-text.ts';

/** BIRD answers in milliseconds; a table being reconfigured may take longer. */
const CONVERSATION_MS_MAX = 5000;
const ANSWER_CHARACTERS_MAX = 4 * 1024 * 1024;

/** Sends one command and answers its reply. Throws OperatingError when BIRD does not answer. */
export type AskBird = (command: string) => Promise<BirdReply>;

/** Opens a connection, lets `talk` ask, closes it. Throws OperatingError `bird-unreachable` or `bird-silent`. */
export async function withBird<T>(path: string, talk: (ask: AskBird) => Promise<T>): Promise<T> {
  const socket = createConnection({ path });
  const replies = new Replies(socket, path);
  try {
    await replies.next();
    return await talk((command) => {
      socket.write(`${plainText(command)}\n`);
      return replies.next();
    });
  } finally {
    replies.end();
  }
}

class Replies {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #timer: NodeJS.Timeout;
  #text = '';
  #failure: OperatingError | undefined;
  #wake: () => void = () => {};

  constructor(socket: Socket, path: string) {
    this.#socket = socket;
    this.#path = path;
    this.#timer = setTimeout(
      () => this.#fail('bird-silent', `no answer within ${CONVERSATION_MS_MAX} ms`),
      CONVERSATION_MS_MAX,
    );
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      this.#text += chunk;
      if (this.#text.length > ANSWER_CHARACTERS_MAX) this.#fail('bird-silent', 'an answer without end');
      this.#wake();
    });
    socket.on('error', (error) => this.#fail('bird-unreachable', error.message));
    socket.on('close', () => this.#fail('bird-unreachable', 'the connection was closed'));
  }

  async next(): Promise<BirdReply> {
    for (;;) {
      const taken = takeReply(this.#text);
      if (taken !== undefined) {
        this.#text = taken.rest;
        return taken.reply;
      }
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }

  #fail(code: string, why: string): void {
    this.#failure ??= new OperatingError(code, `BIRD at ${this.#path}: ${why}`, { retryable: true });
    this.#socket.destroy();
    this.#wake();
  }
}
