// Makes require('@azure/functions-core') give our stand-in, as the Functions worker does; call it before the app loads.
import Module from 'node:module';
import * as functionsCore from './functions-core.ts';

/**
 * Patches Module.prototype.require for this process. Both Functions packages are CommonJS, so this also serves apps
 * that are ES modules, and bundles, whose require comes from createRequire. Under jest moduleNameMapper does the same.
 */
export function installFunctionsCore(): void {
  Module.prototype.require = new Proxy(Module.prototype.require, {
    apply: (target, thisArg, args) =>
      args[0] === '@azure/functions-core' ? functionsCore : Reflect.apply(target, thisArg, args),
  });
}
