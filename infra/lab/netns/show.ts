// The lab without a scenario: prints the picture whenever it changes and does what is typed, until Ctrl-C.
import { createInterface } from 'node:readline';
import { VIP } from './plan.ts';
import { delay } from './poll.ts';
import type { RunningRegion } from './region.ts';
import { renderView, type ViewFacts, type ViewRegion } from './view.ts';
import type { World } from './world.ts';

const LOOK_MS = 500;

type Verb = (world: World) => Promise<void> | void;

/** What may be typed. Every fault strikes the first-ranked region. */
const VERBS: Readonly<Record<string, Verb>> = {
  'app-crash': (world) => world.primary.crashApp(),
  'app-hang': (world) => world.primary.hangApp(),
  'app-brownout': (world) => world.primary.brownOutApp(),
  'nva-crash': (world) => world.primary.crashNva(),
  'nva-freeze': (world) => world.primary.freezeNva(),
  'nva-poweroff': (world) => world.primary.powerOffNva(),
  'control-crash': (world) => world.control.kill(),
  failover: async (world) => {
    await world.control.failover(world.backup.plan.region, 'typed into the laboratory');
  },
  failback: async (world) => {
    await world.control.failback('typed into the laboratory');
  },
  repair: async (world) => {
    if (!world.control.isRunning()) await world.control.start();
    for (const region of [world.primary, world.backup]) {
      await region.restoreApp();
      await world.restoreNva(region);
    }
  },
};

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Resolves when stdin says `quit`; Ctrl-C is handled by whoever started the lab. */
export async function showLab(world: World): Promise<void> {
  let isOver = false;
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => {
    const word = line.trim();
    if (word === 'quit') isOver = true;
    else if (word !== '') void act(world, word);
  });
  print(instructions(world));
  let shown = '';
  while (!isOver) {
    const picture = renderView(await look(world)).join('\n');
    if (picture !== shown) print(`${new Date().toISOString().slice(11, 23)} ${picture}`);
    shown = picture;
    await delay(LOOK_MS);
  }
  input.close();
}

async function act(world: World, word: string): Promise<void> {
  const verb = VERBS[word];
  if (verb === undefined) {
    print(`unknown: ${word}; one of ${Object.keys(VERBS).join(', ')}, quit`);
    return;
  }
  try {
    await verb(world);
    print(`done: ${word}`);
  } catch (error) {
    print(`${word}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function look(world: World): Promise<ViewFacts> {
  const [routes, status] = await Promise.all([
    world.fabric.onPremises(),
    world.control.status().catch(() => undefined),
  ]);
  const regions = [world.primary, world.backup].map(async (region): Promise<ViewRegion> => {
    const route = routes.find((candidate) => candidate.nextHop === region.plan.nva.address);
    return { region: region.plan.region, ...region.state(), isBgpUp: await isBgpUp(world, region), route };
  });
  return {
    answeredBy: world.client.answeredBy(),
    regions: await Promise.all(regions),
    status: status?.vips.find((row) => row.vip === VIP.name) ?? null,
    generation: status?.generation ?? null,
  };
}

const isBgpUp = (world: World, region: RunningRegion): Promise<boolean> =>
  world.fabric.areSessionsUp(region.plan.region);

function instructions({ context }: World): string {
  const { plan, folder } = context;
  const inside = (namespace: string, command: string) => `  ip netns exec ${namespace} ${command}`;
  return `The lab is up. Type one of: ${Object.keys(VERBS).join(', ')}, quit.
In another terminal:
${inside(plan.onPremises, `ip route get ${VIP.address}`)}
  birdc -s ${folder}/onprem.ctl show route all
${inside(plan.client, `curl -si http://${VIP.address}/`)}
Logs and configuration: ${folder}`;
}
