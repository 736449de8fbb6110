// The schemas of the API, loaded when an answer is on its way.
import type * as Schemas from '../../shared/api.ts';

/** A command reads one answer or a few: compiling a schema for that takes longer than walking it. */
export async function loadSchemas(): Promise<typeof Schemas> {
  const [{ z }, schemas] = await Promise.all([import('zod'), import('../../shared/api.ts')]);
  z.config({ jitless: true });
  return schemas;
}
