// Reads {tables, functions, queries} as JSON on standard input, prints what Kusto's own parser says of each query.
// A process of its own, because the parser is a script that writes to the global object.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
require('@kusto/language-service-next/bridge.min.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.min.js');

interface Input {
  /** Table -> schema such as `(TimeGenerated: datetime, Vip: string)`. */
  readonly tables: Readonly<Record<string, string>>;
  /** Saved functions without parameters: alias -> text. */
  readonly functions: Readonly<Record<string, string>>;
  /** Name -> text. */
  readonly queries: Readonly<Record<string, string>>;
}

// biome-ignore lint/suspicious/noExplicitAny: the parser has no types for a script that is loaded at run time
const { Language } = (globalThis as any).Kusto;
const input = JSON.parse(readFileSync(0, 'utf8')) as Input;
const { Symbols } = Language;
const tables = Object.entries(input.tables).map(([name, schema]) => Symbols.TableSymbol.From(schema).WithName(name));
const functions = Object.entries(input.functions).map(
  ([name, body]) => new Symbols.FunctionSymbol.$ctor15(name, '()', `{\n${body}\n}`, null),
);
const database = new Symbols.DatabaseSymbol.$ctor1('workspace', [...tables, ...functions]);
const globals = Language.GlobalState.Default.WithDatabase(database);

function columnsOf(code: { ResultType: { Columns?: { getItem(i: number): { Name: string }; Count: number } } | null }) {
  const columns = code.ResultType?.Columns;
  return columns === undefined ? [] : Array.from({ length: columns.Count }, (_none, i) => columns.getItem(i).Name);
}

const answers = Object.entries(input.queries).map(([name, text]) => {
  const code = Language.KustoCode.ParseAndAnalyze(text, globals);
  const diagnostics = code.GetDiagnostics();
  const problems = Array.from({ length: diagnostics.Count }, (_none, i) => diagnostics.getItem(i).Message as string);
  return [name, { problems, columns: columnsOf(code) }] as const;
});
process.stdout.write(JSON.stringify(Object.fromEntries(answers)));
