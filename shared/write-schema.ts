// Writes the JSON Schema of anycast.yaml for editors (`npm run schema`).
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { topologySchema } from './topology-schema.ts';

export const SCHEMA_FILE = 'infra/examples/anycast.schema.json';

/** The JSON Schema of what a person may write: defaults are optional. */
export const schemaText = (): string => `${JSON.stringify(z.toJSONSchema(topologySchema, { io: 'input' }), null, 2)}\n`;

if (import.meta.main) writeFileSync(SCHEMA_FILE, schemaText());
