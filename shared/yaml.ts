// Reads the YAML files people write: bounded, no duplicate keys, no alias bombs; problems as findings.
import { parseDocument } from 'yaml';
import { err, type Finding, ok, type Result } from './result.ts';

/** Longest YAML file read, in characters. */
export const YAML_LENGTH_MAX = 8 * 1024 * 1024;
const ALIASES_MAX = 100;

/** The plain value in this text, or what is wrong with the text as YAML. */
export function parseYaml(text: string): Result<unknown> {
  if (text.length > YAML_LENGTH_MAX) return err([notYaml(`${text.length} characters, ${YAML_LENGTH_MAX} at most`)]);
  const document = parseDocument(text, { uniqueKeys: true });
  if (document.errors.length > 0)
    return err(document.errors.map((e) => notYaml(e.message.split('\n')[0] ?? e.message)));
  try {
    return ok(document.toJS({ maxAliasCount: ALIASES_MAX }));
  } catch (error) {
    // The library throws on an unresolved or excessive alias only here.
    return err([notYaml(error instanceof Error ? error.message : String(error))]);
  }
}

const notYaml = (message: string): Finding => ({ path: '', code: 'not-yaml', message });
