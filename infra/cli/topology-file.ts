// Reads an anycast.yaml for verbs that need a right one; every problem at once otherwise.
import { readFileSync } from 'node:fs';
import { formatFindings } from '../../shared/result.ts';
import { parseTopology } from '../../shared/topology.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import { CliError, EXIT } from './exit-codes.ts';

export function readTextFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(EXIT.usage, `${file} cannot be read.`, {
      why: [error instanceof Error ? error.message : String(error)],
      cause: error,
    });
  }
}

/** Throws CliError (usage) with every problem. */
export function readTopologyFile(file: string): Topology {
  const parsed = parseTopology(readTextFile(file));
  if (parsed.ok) return parsed.value.topology;
  throw new CliError(EXIT.usage, `${file} is not right.`, {
    why: formatFindings(parsed.error).split('\n'),
    next: [`anycastctl validate ${file}`],
  });
}
