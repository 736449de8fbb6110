// The schemas of the API, loaded when an answer is on its way.
import type * as Schemas from '../../shared/api.ts';

/** A command reads one answer or a few: compiling a schema for that takes longer than walking it. */
export async function loadSchemas(): Promise<typeof Schemas> {
  // First: an object's schema decides whether it compiles when it is made.
  const { z } = await import('zod');
  z.config({ jitless: true });
  return import('../../shared/api.ts');
}
