// Where the modules of the lab's child processes are, and the memory each may take.
import { fileURLToPath } from 'node:url';

/** Largest old generation of each kind of child, in megabytes: the whole lab is to stay below 700. */
export const HEAP_MEGABYTES = { app: 48, nva: 96, seat: 192, azurite: 160 } as const;

/**
 * Room for young objects of each kind of child, in megabytes. A look at the evidence makes several megabytes of them: with
 * room for one, collecting them stops a seat and its storage again and again in the middle of a look.
 */
export const YOUNG_MEGABYTES = { seat: 8, azurite: 4 } as const;

/** Absolute path of a module beside this one. */
export const childModule = (name: keyof typeof HEAP_MEGABYTES): string =>
  fileURLToPath(new URL(`./${name}.ts`, import.meta.url));

/** Stripped and compiled code is kept between runs: every child starts sooner and smaller. */
export const COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/anycast-lab', import.meta.url));
