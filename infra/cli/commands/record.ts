// Declares the verbs about records and files: audit, validate, plan, policy-doc, completion.
import { Argument, Option } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { count, moment, type Shell, verb } from './shell.ts';

export function declareRecords(shell: Shell): void {
  declareAudit(shell);
  declareFiles(shell);
  verb(shell, 'completion', 'completion of this command line for a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(async (name: 'bash' | 'zsh' | 'fish') => {
      const { completionScript } = await import('../completion.ts');
      shell.terminal().print(completionScript(shell.program, name));
      shell.done(EXIT.done);
    });
}

function declareAudit(shell: Shell): void {
  const { session, done } = shell;
  const audit = verb(shell, 'audit', 'the record of decisions');
  audit
    .command('list')
    .description('the newest records')
    .option('--vip <vip>', 'one vip only')
    .option('--kind <kind>', 'one kind only')
    .option('--last <count>', 'newest records', count, 50)
    .action(async (flags: { vip?: string; kind?: string; last: number }) => {
      const { listAudit } = await import('../verbs/audit.ts');
      done(await listAudit(session(), { vip: flags.vip, kind: flags.kind, last: flags.last }));
    });
  audit
    .command('verify')
    .description('check every chain for gaps and edits')
    .option('--file <path>', 'an export instead of the control plane')
    .action(async (flags: { file?: string }) => {
      const { verifyAudit } = await import('../verbs/audit.ts');
      done(await verifyAudit(session, shell.terminal(), shell.flags().json === true, flags.file));
    });
  audit
    .command('export')
    .description('every record, oldest first, one a line')
    .option('--vip <vip>', 'one vip only')
    .option('--since <time>', 'not older than this', moment)
    .option('--until <time>', 'older than this', moment)
    .addOption(new Option('--format <format>', 'form of a line').choices(['ndjson', 'csv']).default('ndjson'))
    .action(async (flags: { vip?: string; since?: number; until?: number; format: 'ndjson' | 'csv' }) => {
      const { exportAudit } = await import('../verbs/audit.ts');
      const { vip, since: sinceMs, until: untilMs, format } = flags;
      done(await exportAudit(session(), { vip, sinceMs, untilMs, format }));
    });
}

function declareFiles(shell: Shell): void {
  const { done } = shell;
  const isJson = () => shell.flags().json === true;
  verb(shell, 'validate', 'check an anycast.yaml')
    .argument('<file>')
    .option('--exit-status', 'end with 7 when there are warnings', false)
    .action(async (file: string, flags: { exitStatus: boolean }) => {
      const { validateFile } = await import('../verbs/validate.ts');
      done(validateFile(shell.terminal(), file, { json: isJson(), exitStatus: flags.exitStatus }));
    });
  verb(shell, 'plan', 'what would change if this anycast.yaml were deployed')
    .argument('<file>')
    .option('--against <file>', 'the deployed file (default: what the control plane runs on)')
    .option('--exit-status', 'end with 7 when something would change', false)
    .action(async (file: string, flags: { against?: string; exitStatus: boolean }) => {
      const { planFile } = await import('../verbs/plan.ts');
      const options = { ...flags, json: isJson(), against: flags.against };
      done(await planFile(shell.terminal(), shell.session, file, options));
    });
  verb(shell, 'policy-doc', 'the BGP policy as a document, with configuration for on-premises routers')
    .argument('<file>')
    .addOption(
      new Option('--snippet <router>', 'the configuration of one router only').choices([
        'ios-xe',
        'junos',
        'frr',
        'bird',
      ]),
    )
    .option('--asn <number>', 'AS number of the on-premises routers', count, 65500)
    .action(async (file: string, flags: { snippet?: 'ios-xe' | 'junos' | 'frr' | 'bird'; asn: number }) => {
      const { showPolicyDocument } = await import('../verbs/policy-doc.ts');
      const options = { snippet: flags.snippet, asn: flags.asn, json: isJson() };
      done(showPolicyDocument(shell.terminal(), file, options));
    });
}
