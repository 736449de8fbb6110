// Loads one source file of the product with a guard taken out: the rest of the process sees the mutant only.
import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Mutant } from './mutants.ts';

/** Must be called before anything imports the file. Throws when the text to be replaced is not there exactly once. */
export function installMutant(mutant: Mutant): void {
  const path = resolve(mutant.file);
  const url = pathToFileURL(path).href;
  const mutated = stripTypeScriptTypes(mutatedText(mutant, readFileSync(path, 'utf8')));
  registerHooks({
    load(wanted, context, nextLoad) {
      if (wanted !== url) return nextLoad(wanted, context);
      return { format: 'module', source: mutated, shortCircuit: true };
    },
  });
}

export function mutatedText({ name, file, from, to }: Mutant, text: string): string {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`mutant ${name}: ${file} has its text ${parts.length - 1} times`);
  return parts.join(to);
}
