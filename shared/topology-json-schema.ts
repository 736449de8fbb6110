// The JSON Schema of anycast.yaml, for editors: derived from the zod schema, never written by hand.
import { z } from 'zod';
import { topologySchema } from './topology-schema.ts';

/** Where the repository keeps it, beside the examples that name it. */
export const SCHEMA_FILE = 'infra/examples/anycast.schema.json';

/** The JSON Schema of what a person may write: defaults are optional. */
export const schemaText = (): string => `${JSON.stringify(z.toJSONSchema(topologySchema, { io: 'input' }), null, 2)}\n`;
