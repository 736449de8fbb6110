// anycastctl topology: fetches the status and prints the way of one vip, hop by hop.
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts';
import { loadSchemas } from '../schemas.ts';
import { printJson, type Session } from '../session.ts';
import { type Hop, renderTopology, topologyHops } from '../topology-text.ts';

export async function showTopology(session: Session, name: string): Promise<ExitCode> {
  const { value } = await session.client.call('/status', async () => (await loadSchemas()).statusSchema);
  const vip = value.vips.find((one) => one.vip === name);
  if (vip === undefined) {
    const why = [`${value.deployment} has: ${value.vips.map((one) => one.vip).join(', ')}.`];
    throw new CliError(EXIT.usage, `There is no vip ${name}.`, { why });
  }
  const hops: readonly Hop[] = topologyHops(vip, value.nowMs);
  if (session.json) printJson(session, { vip: name, prefix: vip.prefix, servedBy: vip.servedBy, hops });
  else for (const line of renderTopology(vip, hops)) session.terminal.print(line);
  return EXIT.done;
}
