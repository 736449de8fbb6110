// Follows the commands of a harm scenario with one guard taken out of the product, in a thread of its own.
import { parentPort, workerData } from 'node:worker_threads';
import type { Guard } from '../../functions/engine/reasons.ts';
import { installMutant } from '../simulation/mutate.ts';
import { withoutGuard } from './guard-out.ts';

const { guard, commands } = workerData as { readonly guard: Guard; readonly commands: readonly string[] };
installMutant(withoutGuard(guard));
// Only now, so that what it loads is the mutant.
const { tellCommands } = await import('./scenario.ts');
parentPort?.postMessage(tellCommands(commands));
