// Writes the JSON Schema of anycast.yaml for editors (`npm run schema`).
import { writeFileSync } from 'node:fs';
import { SCHEMA_FILE, schemaText } from './topology-json-schema.ts';

writeFileSync(SCHEMA_FILE, schemaText());
