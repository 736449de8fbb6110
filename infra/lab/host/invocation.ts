// Runs one function through the invocation model of @azure/functions, in the order of the real worker.
import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.ts';
import {
  type CoreInvocationContext,
  functionsRegistry,
  type HookContext,
  type HookName,
  type RegisteredFunction,
  type Registry,
} from './functions-core.ts';
import type { BindingInfo, Log, LogEntry, LogLevel, RpcInvocationResponse, RpcTypedData } from './wire.ts';

/** The application as the host sees it: its functions, and how to run them. */
export interface FunctionApp {
  /** The functions that this host runs, by lower-case name. */
  readonly functions: ReadonlyMap<string, RegisteredFunction>;
  /**
   * Runs one invocation. Inputs are given by binding type ('httpTrigger', 'durableClient', ...). Rejects with what
   * the handler or a hook threw, or when the function is unknown or has run longer than the limit.
   */
  invoke(
    functionName: string,
    inputs: Readonly<Record<string, RpcTypedData | undefined>>,
  ): Promise<RpcInvocationResponse>;
  /** Calls the appTerminate hooks. */
  terminate(): Promise<void>;
}

export interface FunctionAppOptions {
  readonly loadApp: () => Promise<unknown>;
  readonly log: Log;
  readonly clock: Clock;
  readonly invocationMsMax: number;
  /** Which functions this process runs. */
  readonly functionsEnabled: (name: string, triggerType: string) => boolean;
}

/** The trigger binding of a function: each has exactly one. */
export function triggerOf(registered: RegisteredFunction): BindingInfo {
  const trigger = Object.values(registered.metadata.bindings).find((binding) => /trigger$/i.test(binding.type));
  if (!trigger) throw new Error(`Function "${registered.metadata.name}" has no trigger.`);
  return trigger;
}

/**
 * Loads the application and calls its appStart hooks. Rejects when an entry point throws: then the whole app is down.
 */
export async function startFunctionApp(options: FunctionAppOptions): Promise<FunctionApp> {
  const registry = functionsRegistry();
  registry.started = false;
  registry.onLog = (level, category, message) => writeLog(registry, options.log, { level, category, message });
  await options.loadApp();
  if (!registry.programmingModel) throw new Error('The application registered no function.');
  await registry.programmingModel.getCapabilities?.({});
  registry.started = true;
  await runHooks(registry, 'appStart', { hookData: {}, appHookData });
  const enabled = [...registry.functions].filter(([, registered]) =>
    options.functionsEnabled(registered.metadata.name, triggerOf(registered).type),
  );
  const functions = new Map(enabled);
  return {
    functions,
    invoke: (functionName, inputs) => {
      const registered = functions.get(functionName.toLowerCase());
      if (!registered) return Promise.reject(new Error(unknownFunction(functionName, 'a function of this app')));
      return withinTime(options, functionName, invokeRegistered(registry, options.log, registered, inputs));
    },
    terminate: () => runHooks(registry, 'appTerminate', { hookData: {}, appHookData }),
  };
}

/** The extension's words for a function that cannot be called. */
export function unknownFunction(name: string, kind: string): string {
  return `The function '${name}' doesn't exist, is disabled, or is not ${kind}.`;
}

/** Shared by all hooks of the process, as in the worker. */
const appHookData: Record<string, unknown> = {};

async function runHooks(registry: Registry, name: HookName, context: HookContext): Promise<void> {
  for (const hook of [...registry.hooks[name]]) await hook(context);
}

/** Log hooks see each entry first and may change its level and message. */
function writeLog(registry: Registry, log: Log, entry: LogEntry, invocationContext?: unknown): void {
  const context: HookContext = { hookData: {}, appHookData, ...entry, invocationContext };
  for (const hook of registry.hooks.log) hook(context);
  log({ ...entry, level: context.level as LogLevel, message: String(context.message) });
}

/** A handler cannot be stopped, but the host does not wait for it for ever. */
function withinTime<T>(options: FunctionAppOptions, functionName: string, running: Promise<T>): Promise<T> {
  const { promise, reject, resolve } = Promise.withResolvers<T>();
  const limit = options.invocationMsMax;
  const cancel = options.clock.schedule(options.clock.now() + limit, () =>
    reject(new Error(`Timeout value of ${limit} ms exceeded by function: ${functionName}`)),
  );
  running.then(resolve, reject).finally(cancel);
  return promise;
}

/** The worker's order: getArguments, preInvocation hooks, the handler, postInvocation hooks, getResponse. */
async function invokeRegistered(
  registry: Registry,
  log: Log,
  registered: RegisteredFunction,
  inputs: Readonly<Record<string, RpcTypedData | undefined>>,
): Promise<RpcInvocationResponse> {
  const { metadata, callback } = registered;
  const core = createCoreContext(registry, log, registered, inputs);
  const model = registry.programmingModel?.getInvocationModel(core);
  if (!model) throw new Error('No programming model is set.');
  const { context, inputs: args } = await model.getArguments();
  const shared = { hookData: {}, appHookData, invocationContext: context };
  const before: HookContext = { ...shared, inputs: args, functionCallback: callback };
  await runHooks(registry, 'preInvocation', before);
  const after: HookContext = { ...shared, inputs: before.inputs, result: null, error: null };
  core.state = 'invocation';
  try {
    const handler = before.functionCallback as RegisteredFunction['callback'];
    after.result = await model.invokeFunction(context, before.inputs as unknown[], handler);
  } catch (error) {
    // A thrown null or undefined must not pass for success.
    after.error = error ?? new Error(`Function "${metadata.name}" threw ${String(error)}.`);
  }
  core.state = 'postInvocationHooks';
  await runHooks(registry, 'postInvocation', after);
  core.state = undefined;
  if (after.error !== null && after.error !== undefined) throw after.error;
  return model.getResponse(context, after.result);
}

function createCoreContext(
  registry: Registry,
  log: Log,
  { metadata }: RegisteredFunction,
  inputs: Readonly<Record<string, RpcTypedData | undefined>>,
): CoreInvocationContext {
  const invocationId = randomUUID();
  const inputData = Object.entries(metadata.bindings)
    .filter(([, binding]) => binding.direction === 'in')
    .map(([name, binding]) => ({ name, data: inputs[binding.type] }));
  return {
    invocationId,
    metadata,
    request: { invocationId, inputData, triggerMetadata: {} },
    state: undefined,
    log: (level, category, message) =>
      writeLog(registry, log, { level, category, message, functionName: metadata.name, invocationId }),
  };
}
