// Whether the list of mutants still fits the sources: each must find its text exactly once.
import { readFileSync } from 'node:fs';
import { MUTANTS } from './mutants.ts';
import { mutatedText } from './mutate.ts';

export function installedMutants(): { readonly name: string; readonly problem: string | undefined }[] {
  return MUTANTS.map((mutant) => {
    try {
      mutatedText(mutant, readFileSync(mutant.file, 'utf8'));
      return { name: mutant.name, problem: undefined };
    } catch (error) {
      return { name: mutant.name, problem: error instanceof Error ? error.message : String(error) };
    }
  });
}
