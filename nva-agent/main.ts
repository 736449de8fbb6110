#!/usr/bin/env node
// anycast-agent: the verbs of the agent's command line.
import { userInfo } from 'node:os';
import { Command } from 'commander';
import { formatFindings } from '../shared/result.ts';
import { loadAgentConfig } from './control/config.ts';
import { askLocalAgent } from './control/local-client.ts';
import type { AgentStatus } from './control/status.ts';
import { AGENT_VERSION } from './version.ts';

const CONFIG_FILE = '/etc/anycast-agent/agent.yaml';

/** Exit codes: 0 done, 1 failed, 2 bad input, 3 the agent does not answer. */
const EXIT = { failed: 1, badInput: 2, noAgent: 3 } as const;

const program = new Command('anycast-agent')
  .description('Announces private anycast prefixes to Azure Route Server while their application is healthy.')
  .version(AGENT_VERSION)
  .showHelpAfterError();

const withConfig = (command: Command) => command.option('-c, --config <file>', 'agent.yaml', CONFIG_FILE);

withConfig(program.command('run').description('run in the foreground until SIGTERM')).action(
  async ({ config: file }) => {
    const { run } = await import('./run.ts');
    process.exitCode = await run(file);
  },
);

withConfig(program.command('check-config').description('list every problem of agent.yaml and its topology')).action(
  async ({ config: file }) => {
    const loaded = await loadAgentConfig(file);
    if (!loaded.ok) return end(EXIT.badInput, `${formatFindings(loaded.error)}\n`);
    if (loaded.value.warnings.length > 0) process.stderr.write(`${formatFindings(loaded.value.warnings)}\n`);
    process.stdout.write(`${loaded.value.file}: ok, ${loaded.value.warnings.length} warnings\n`);
  },
);

withConfig(program.command('status').description('what the running agent sees and announces'))
  .option('--json', 'the whole status document')
  .action(async ({ config: file, json }) => {
    const { formatStatus } = await import('./status-text.ts');
    const answer = await askLocalAgent(file, 'GET', '/v1/status');
    if (!answer.ok) return end(answer.error.exit, `${answer.error.message}\n`);
    process.stdout.write(
      json === true ? `${JSON.stringify(answer.value)}\n` : formatStatus(answer.value as AgentStatus),
    );
  });

withConfig(program.command('doctor').description('check this machine and configuration, with a fix for each finding'))
  .option('--json', 'findings as JSON')
  .action(async ({ config: file, json }) => {
    const { runDoctor } = await import('./doctor.ts');
    process.exitCode = await runDoctor(file, json === true);
  });

withConfig(
  program
    .command('override <vip> <action>')
    .description('act locally: announce, last-resort, withhold, or end an override'),
)
  .requiredOption('--reason <text>', 'why; it is logged and reported')
  .option('--seconds <n>', 'how long it holds, at most 86400', '3600')
  .action(async (vip: string, action: string, { config: file, reason, seconds }) => {
    const by = `${reason} (by ${process.env.SUDO_USER ?? userInfo().username})`;
    const body = action === 'end' ? { vip, action, reason: by } : { vip, action, reason: by, seconds: Number(seconds) };
    const answer = await askLocalAgent(file, 'PUT', '/v1/override', body);
    if (!answer.ok) return end(answer.error.exit, `${answer.error.message}\n`);
    process.stdout.write(`${JSON.stringify(answer.value)}\n`);
  });

program
  .command('decode')
  .description(
    'decode BGP messages from stdin, one in hex per line or as tcpdump -x and Wireshark print them, to JSON lines',
  )
  .option('--as2', 'AS paths of 2 octets, as between speakers without RFC 6793')
  .action(async ({ as2 }) => {
    const { runDecode } = await import('./bgp/decode-command.ts');
    process.exitCode = await runDecode(as2 === true ? ['--as2'] : []);
  });

function end(exitCode: number, message: string): void {
  process.stderr.write(message);
  process.exitCode = exitCode;
}

await program.parseAsync();
