// One region of the lab as it runs: its application, and its NVA with agent and HAProxy; and what can be done to them.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { askLocalAgent } from '../../../nva-agent/control/local-client.ts';
import type { AgentStatus } from '../../../nva-agent/control/status.ts';
import { OperatingError } from '../../../shared/errors.ts';
import type { LabContext } from './context.ts';
import { haproxyConfig } from './haproxy-config.ts';
import { identityEndpoint, type LabFiles } from './lab-files.ts';
import { setCables } from './namespaces.ts';
import { AGENT_PORT, APP_PORT, type RegionPlan } from './plan.ts';
import { until } from './poll.ts';
import { type LabProcess, nodeArgv } from './processes.ts';

const SCRIPT_MS = 10_000;
const REPOSITORY = join(import.meta.dirname, '../../..');

export interface RunningRegion {
  readonly plan: RegionPlan;
  crashApp(): Promise<void>;
  /** Also after a crash. Resolves when the application accepts connections. */
  restoreApp(): Promise<void>;
  /** SIGSTOP: connections are accepted by the kernel and never answered. */
  hangApp(): void;
  brownOutApp(): void;
  crashNva(): Promise<void>;
  /** SIGTERM to the agent: last resort, withdrawal, CEASE, and its connections get their time. */
  stopAgent(): void;
  /** SIGSTOP to agent and HAProxy: the kernel keeps the BGP sessions' TCP connections alive. */
  freezeNva(): void;
  /** Cables out first, then every process killed: nobody hears a FIN. */
  powerOffNva(): Promise<void>;
  /** Undoes crash, freeze and power-off. */
  restoreNva(): Promise<void>;
  /** What the region's agent says of itself; undefined when it does not answer. */
  agentStatus(): Promise<AgentStatus | undefined>;
  /** What runs now, for measurements and for the view. */
  processes(): readonly LabProcess[];
  state(): { readonly app: string; readonly nva: string };
}

/** Starts application, HAProxy and agent of a region. */
export async function startRegion(lab: LabContext, plan: RegionPlan, files: LabFiles): Promise<RunningRegion> {
  await writeFile(join(lab.folder, `${plan.short}-haproxy.cfg`), haproxyConfig(plan));
  await writeAgentFile(lab, plan, files);
  let app = await startApp(lab, plan);
  let nva = startNva(lab, plan);
  let appState = 'ok';
  let nvaState = 'ok';
  return {
    plan,
    crashApp: async () => {
      appState = 'crashed';
      await app.kill();
    },
    restoreApp: async () => {
      if (!app.isRunning()) app = await startApp(lab, plan);
      app.signal('SIGCONT');
      app.send({ mode: 'ok' });
      appState = 'ok';
    },
    hangApp: () => {
      appState = 'hanging';
      app.signal('SIGSTOP');
    },
    brownOutApp: () => {
      appState = 'failing every second request';
      app.send({ mode: 'brownout' });
    },
    crashNva: async () => {
      nvaState = 'crashed';
      await Promise.all(nva.map((process) => process.kill()));
    },
    stopAgent: () => {
      nvaState = 'stopping';
      nva[0]?.signal('SIGTERM');
    },
    freezeNva: () => {
      nvaState = 'frozen';
      for (const process of nva) process.signal('SIGSTOP');
    },
    powerOffNva: async () => {
      nvaState = 'off';
      await setCables(lab.plan, plan.nva.namespace, 'down');
      await Promise.all(nva.map((process) => process.kill()));
    },
    restoreNva: async () => {
      await setCables(lab.plan, plan.nva.namespace, 'up');
      for (const process of nva) process.signal('SIGCONT');
      if (nva.some((process) => !process.isRunning())) nva = startNva(lab, plan);
      nvaState = 'ok';
    },
    agentStatus: async () => {
      const answer = await askLocalAgent(join(lab.folder, `${plan.short}-agent.yaml`), 'GET', '/v1/status');
      return answer.ok ? (answer.value as AgentStatus) : undefined;
    },
    processes: () => [app, ...nva],
    state: () => ({ app: appState, nva: nvaState }),
  };
}

async function startApp(lab: LabContext, plan: RegionPlan): Promise<LabProcess> {
  const process = lab.processes.start({
    name: `${plan.short}-app`,
    isOwnMachine: true,
    namespace: plan.app.namespace,
    argv: nodeArgv(join(import.meta.dirname, 'app.ts'), plan.region, plan.app.address, String(APP_PORT)),
    ipc: true,
  });
  await untilReady(process);
  return process;
}

/** Resolves with what a script of ours said when it was ready. */
export async function untilReady(process: LabProcess): Promise<object> {
  let ready: object | undefined;
  process.onMessage((message) => {
    if ((message as { type?: unknown }).type === 'ready') ready = message as object;
  });
  return await until(`${process.name} is ready`, SCRIPT_MS, () => {
    if (process.isRunning()) return ready;
    throw new OperatingError('ended', `${process.name} ended at start; see ${process.name}.log`, { retryable: false });
  });
}

function startNva({ folder, processes, plan }: LabContext, region: RegionPlan): LabProcess[] {
  const start = (part: string, argv: readonly string[]) =>
    processes.start({ name: `${region.short}-${part}`, namespace: region.nva.namespace, argv, isOwnMachine: true });
  return [
    start('agent', [
      ...nodeArgv(join(REPOSITORY, 'nva-agent/main.ts'), 'run', '--config', join(folder, `${region.short}-agent.yaml`)),
    ]),
    // With a data plane of its own the agent starts the proxy.
    ...(plan.secondChance
      ? []
      : [start('haproxy', ['haproxy', '-db', '-f', join(folder, `${region.short}-haproxy.cfg`)])]),
  ];
}

/** agent.yaml of the region's NVA. */
export const agentFile = (folder: string, plan: RegionPlan, files: LabFiles): object => ({
  nva: plan.nva.name,
  topology: files.topology,
  stateDirectory: join(folder, `${plan.short}-state`),
  listen: `${plan.nva.management}:${AGENT_PORT}`,
  tls: { cert: files.agents.certificate, key: files.agents.key },
  bgp: { localAddress: plan.nva.address },
  identity: { endpoint: identityEndpoint(plan.nva.name) },
  log: { level: 'info' },
});

async function writeAgentFile({ folder }: LabContext, plan: RegionPlan, files: LabFiles): Promise<void> {
  await mkdir(join(folder, `${plan.short}-state`), { recursive: true, mode: 0o700 });
  await writeFile(join(folder, `${plan.short}-agent.yaml`), stringify(agentFile(folder, plan, files)));
}
