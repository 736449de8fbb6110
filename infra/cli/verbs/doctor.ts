// anycastctl doctor: gathers, examines, tells each finding with its fix; the bundle is for a colleague.
import { existsSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { type Examination, examine } from '../doctor/examine.ts';
import type { Facts, Finding } from '../doctor/facts.ts';
import { type AzureReader, gatherFacts } from '../doctor/gather.ts';
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts';
import { printJson, type Session } from '../session.ts';
import { readTextFile, readTopologyFile } from '../topology-file.ts';

export interface DoctorOptions {
  readonly file: string | undefined;
  readonly ca: string | undefined;
  readonly armEndpoint: string | undefined;
  readonly arm: boolean;
  readonly agents: boolean;
  readonly workspaceId: string | undefined;
  readonly dcrId: string | undefined;
  readonly bundle: string | undefined;
}

/** Where a lab says its files are; nobody has to copy paths. */
const placesSchema = z.object({
  file: z.string(),
  ca: z.string(),
  armEndpoint: z.string(),
  workspaceId: z.string(),
  dcrId: z.string(),
});

/** Exit 0 without a problem (warnings are told), 7 with one. */
export async function runDoctor(session: Session, given: DoctorOptions): Promise<ExitCode> {
  const options = await withPlaces(session, given);
  if (options.file === undefined || !existsSync(options.file)) {
    const what = options.file === undefined ? 'Say which anycast.yaml is deployed.' : `${options.file} is not there.`;
    throw new CliError(EXIT.usage, what, { next: ['anycastctl doctor PATH'] });
  }
  const topology = readTopologyFile(options.file);
  const ca = options.ca === undefined ? undefined : readTextFile(options.ca);
  const { createAgentReader } = await import('../doctor/agent-reader.ts');
  const progress = await startProgress(session);
  const facts = await gatherFacts({
    topology,
    client: session.client,
    agents: options.agents ? createAgentReader(ca) : '--no-agents',
    azure: options.arm ? await azureReader(session, options, ca) : '--no-arm',
    workspaceId: options.workspaceId,
    ruleId: options.dcrId,
    nowMs: session.terminal.nowMs,
    ...(progress !== undefined && { progress: progress.add }),
  });
  await progress?.ended();
  const examination = examine(facts);
  if (options.bundle !== undefined) writeBundle(session, options.bundle, facts, examination);
  tell(session, examination);
  return examination.findings.some(({ severity }) => severity === 'problem') ? EXIT.findings : EXIT.done;
}

/** In the lab every place that was not given is asked for. */
async function withPlaces({ client }: Session, given: DoctorOptions): Promise<DoctorOptions> {
  const { tokenUrl } = client.context;
  if (tokenUrl === undefined) return { ...given, file: given.file ?? 'anycast.yaml' };
  const response = await fetch(new URL('/doctor', tokenUrl), { signal: AbortSignal.timeout(5000) }).catch(
    () => undefined,
  );
  const places = placesSchema.safeParse(response?.ok === true ? await response.json() : undefined);
  if (!places.success) return given;
  return {
    ...given,
    file: given.file ?? places.data.file,
    ca: given.ca ?? places.data.ca,
    armEndpoint: given.armEndpoint ?? places.data.armEndpoint,
    workspaceId: given.workspaceId ?? places.data.workspaceId,
    dcrId: given.dcrId ?? places.data.dcrId,
  };
}

async function azureReader(session: Session, options: DoctorOptions, ca: string | undefined): Promise<AzureReader> {
  const { createAzureReader } = await import('../doctor/azure-reader.ts');
  const { tokenUrl } = session.client.context;
  const { DefaultAzureCredential } = await import('@azure/identity');
  const lab = {
    getToken: async () => ({
      token: (await session.client.bearer()) ?? '',
      expiresOnTimestamp: session.terminal.nowMs() + 600_000,
    }),
  };
  return createAzureReader({
    credential: tokenUrl === undefined ? new DefaultAzureCredential() : lab,
    endpoint: options.armEndpoint,
    ca: options.armEndpoint === undefined ? undefined : ca,
  });
}

/** On a terminal a list of what is being read; elsewhere silence. */
async function startProgress({ terminal, json }: Session) {
  if (terminal.isLive !== true || json) return undefined;
  const { Listr } = await import('listr2');
  const parts: { readonly title: string; readonly task: () => Promise<void> }[] = [];
  let running: Promise<unknown> | undefined;
  return {
    add: (title: string, work: Promise<unknown>) => {
      const settled = work.then(
        () => undefined,
        () => undefined,
      );
      parts.push({ title, task: () => settled });
      // All parts begin in one turn; the list is drawn after it.
      running ??= Promise.resolve().then(() => new Listr(parts, { concurrent: true, exitOnError: false }).run());
    },
    ended: async () => {
      await running;
    },
  };
}

function writeBundle(session: Session, file: string, facts: Facts, examination: Examination): void {
  const { context } = session.client;
  const bundle = {
    ...{ v: 1, madeAt: new Date(facts.nowMs).toISOString(), context: context.name, node: process.version },
    ...examination,
    facts,
  };
  writeFileSync(file, `${JSON.stringify(bundle, null, 2)}\n`, { mode: 0o600 });
  session.terminal.say(`${file} holds everything that was gathered: addresses and names, no tokens and no keys.`);
}

function tell(session: Session, { findings, unchecked }: Examination): void {
  const { terminal } = session;
  const problems = findings.filter(({ severity }) => severity === 'problem');
  if (session.json) {
    printJson(session, { ok: problems.length === 0, findings, unchecked });
    return;
  }
  for (const finding of findings) for (const line of findingLines(finding, session)) terminal.print(line);
  for (const { where, why } of unchecked) terminal.print(terminal.paint('gray', `(-) ${where}: not checked: ${why}`));
  const warnings = findings.length - problems.length;
  const counted = `${problems.length} problems, ${warnings} warnings, ${unchecked.length} not checked.`;
  terminal.print(
    problems.length === 0 ? terminal.paint('green', `SUCCESS: ${counted}`) : terminal.paint('red', `ERROR: ${counted}`),
  );
}

function findingLines({ severity, where, what, fix, code }: Finding, { terminal }: Session): string[] {
  const isProblem = severity === 'problem';
  const line = `${isProblem ? '(✗)' : '(!)'} ${where}: ${what} [${code}]`;
  return [terminal.paint(isProblem ? 'red' : 'yellow', line), `      fix: ${fix}`];
}
