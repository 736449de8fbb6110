// Reads the body of a request: bounded, as JSON, checked against a schema, every problem listed.
import type { HttpRequest } from '@azure/functions';
import type { z } from 'zod';
import { type ProblemDocument, problem } from '../../shared/errors.ts';
import { err, ok, type Result } from '../../shared/result.ts';
import { pathText } from '../../shared/topology.ts';

/** Text that is not UTF-8 is no JSON (RFC 8259 section 8.1). */
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The parsed body, or the problem document to answer with. */
export async function readBody<T extends z.ZodType>(
  request: HttpRequest,
  schema: T,
  bytesMax: number,
): Promise<Result<z.output<T>, ProblemDocument>> {
  const bytes = await readBytes(request, bytesMax);
  if (bytes === undefined) {
    return err(problem(413, 'too-large', 'Body too large', { detail: `at most ${bytesMax} bytes` }));
  }
  let value: unknown;
  try {
    value = bytes.length === 0 ? {} : JSON.parse(utf8.decode(bytes));
  } catch {
    return err(problem(400, 'not-json', 'Body is not JSON'));
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const errors = parsed.error.issues.slice(0, 50).map((issue) => ({
    path: pathText(issue.path),
    code: issue.code ?? 'malformed',
    message: issue.message,
  }));
  return err(
    problem(400, 'malformed', 'Body is not as described', {
      detail: errors.map((e) => `${e.path}: ${e.message}`).join('; '),
      errors,
    }),
  );
}

/** Undefined when there is more than allowed; stops reading then. */
async function readBytes(request: HttpRequest, bytesMax: number): Promise<Uint8Array | undefined> {
  const announced = Number(request.headers.get('content-length') ?? Number.NaN);
  if (announced > bytesMax) return undefined;
  // HTTP holds the sender to the length it announced, so this much may be taken at once.
  if (announced <= bytesMax) {
    const bytes = new Uint8Array(await request.arrayBuffer());
    return bytes.length > bytesMax ? undefined : bytes;
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > bytesMax) return undefined;
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}
