// What the bundle of the function app leaves out of its packages: parts that are loaded, but that it never calls.
import { readFileSync } from 'node:fs';
import type { Plugin } from 'esbuild';

/** Operation groups of @azure/arm-network that `functions/adapters/arm-routes.ts` calls; the client has some 150. */
const NETWORK_GROUPS = ['virtualHubBgpConnections', 'expressRouteCircuits'];

/**
 * The network client without the operation groups that nobody calls: a group left out is undefined on the client.
 * Throws when the client's source does not look as expected, so that an update of the package is noticed.
 */
export function trimNetworkClient(source: string): string {
  const trimmed = source
    .replace(/import \{\s*_get\w+Operations,?\s*\} from "\.\/classic\/(\w+)\/index\.js";/g, keepNetworkGroup)
    .replace(/this\.(\w+) =\s*_get\w+Operations\(\s*this\._client,?\s*\);/g, keepNetworkGroup);
  const left = trimmed.match(/_get\w+Operations/g)?.length ?? 0;
  const wanted = 2 * NETWORK_GROUPS.length;
  if (left !== wanted) throw new Error(`@azure/arm-network: ${left} mentions of operation groups, not ${wanted}`);
  return trimmed;
}

const keepNetworkGroup = (statement: string, group: string): string =>
  NETWORK_GROUPS.includes(group) ? statement : '';

/** durable-functions asks `validator` for isURL alone; its hundred others are rules for postal codes and the like. */
const ONLY_IS_URL = "exports.isURL = require('validator/lib/isURL').default;";
/** axios guesses types of attached files with a list of 2,000; DurableClient attaches none. `false` means: not known. */
const NO_TYPES = 'exports.lookup = () => false; exports.contentType = () => false;';
/** Messages of zod in fifty languages; the control plane speaks English. */
const ENGLISH = "export { default as en } from './en.js';";

/** Blobs are asked for without checksums of their content; the code of those is a tenth of the SDK. Asking fails. */
const NO_CHECKSUMS = "export default () => Promise.reject(new Error('checksums of content are not in the bundle'));";

const INSTEAD: Readonly<Record<string, string>> = { validator: ONLY_IS_URL, 'mime-types': NO_TYPES };

/** For esbuild; `resolveDir` is the project's folder, where packages are found. */
export const bundleTrims = (resolveDir: string): Plugin => ({
  name: 'bundle-trims',
  setup(build) {
    build.onLoad({ filter: /@azure\/arm-network\/dist\/esm\/networkManagementClient\.js$/ }, ({ path }) => ({
      contents: trimNetworkClient(readFileSync(path, 'utf8')),
    }));
    build.onLoad({ filter: /@azure\/storage-common\/dist\/esm\/crc64\.js$/ }, () => ({ contents: NO_CHECKSUMS }));
    build.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({ contents: ENGLISH }));
    build.onResolve({ filter: /^(validator|mime-types)$/ }, ({ path }) => ({ path, namespace: 'bundle-trims' }));
    build.onLoad({ filter: /./, namespace: 'bundle-trims' }, ({ path }) => ({
      contents: INSTEAD[path] ?? '',
      resolveDir,
    }));
  },
});
