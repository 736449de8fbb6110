// A small sound topology as a plain object, for tests that then bend one thing of it.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** Anything JSON-like, so that a test may write nonsense into it. */
// biome-ignore lint/suspicious/noExplicitAny: tests bend the object on purpose.
export type Draft = any;

/** A fresh copy of infra/examples/contoso.yaml. */
export const contoso = (): Draft => parse(readFileSync('infra/examples/contoso.yaml', 'utf8'));
