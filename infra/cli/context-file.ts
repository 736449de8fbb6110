// Reads the file that names deployments: `$XDG_CONFIG_HOME/anycastctl/config.yaml`.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { err, ok, type Result } from '../../shared/result.ts';
import { parseYaml } from '../../shared/yaml.ts';

const contextSchema = z.strictObject({
  /** Base URLs of all seats, such as https://func-anycast-we.azurewebsites.net. */
  seats: z
    .array(z.string().regex(/^https?:\/\/[^\s]+$/, 'an http or https URL'))
    .min(1)
    .max(8),
  /** Application ID URI of the control plane; tokens are asked for `<audience>/.default`. */
  audience: z.string().optional(),
  /** Where a lab hands out operator tokens; absent on Azure. */
  tokenUrl: z.string().optional(),
});
const fileSchema = z.strictObject({ current: z.string().optional(), contexts: z.record(z.string(), contextSchema) });

export type ContextSettings = z.infer<typeof contextSchema>;
export type Contexts = z.infer<typeof fileSchema>;

/** The contexts, or a line per problem. */
export function readContexts(file: string): Result<Contexts, readonly string[]> {
  const yaml = parseYaml(readFileSync(file, 'utf8'));
  if (!yaml.ok) return err(yaml.error.map(({ message }) => message));
  const parsed = fileSchema.safeParse(yaml.value);
  if (parsed.success) return ok(parsed.data);
  return err(parsed.error.issues.map((issue) => `${z.core.toDotPath(issue.path)}: ${issue.message}`));
}
