// The module '@azure/functions-core' that the Functions worker supplies at run time: @azure/functions registers here.
// What is registered is kept on globalThis, because jest may load this file both as ES module and as CommonJS.
import type { FunctionMetadata, LogLevel, RpcInvocationResponse, RpcTypedData } from './wire.ts';

/** Any function of the application; its arguments are the trigger value and the invocation context. */
export type FunctionCallback = (...args: readonly unknown[]) => unknown;

export interface RegisteredFunction {
  readonly metadata: FunctionMetadata;
  readonly callback: FunctionCallback;
}

/** What an invocation hook sees and may change; @azure/functions wraps it. */
export type HookContext = Record<string, unknown>;
export type HookCallback = (context: HookContext) => unknown;
export const HOOK_NAMES = ['preInvocation', 'postInvocation', 'appStart', 'appTerminate', 'log'] as const;
export type HookName = (typeof HOOK_NAMES)[number];

/** One invocation, as the model of @azure/functions wants it. */
export interface CoreInvocationContext {
  readonly invocationId: string;
  readonly metadata: FunctionMetadata;
  readonly request: {
    readonly invocationId: string;
    readonly inputData: readonly { readonly name: string; readonly data: RpcTypedData | undefined }[];
    readonly triggerMetadata: Readonly<Record<string, RpcTypedData>>;
  };
  state: 'invocation' | 'postInvocationHooks' | undefined;
  log(level: LogLevel, category: string, message: string): void;
}

/** The invocation model that @azure/functions supplies through setProgrammingModel. */
export interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: FunctionCallback): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<RpcInvocationResponse>;
}

export interface ProgrammingModel {
  readonly name: string;
  readonly version: string;
  getInvocationModel(context: CoreInvocationContext): InvocationModel;
  getCapabilities?(capabilities: Record<string, string>): Promise<Record<string, string>>;
}

/** Everything the application registered. */
export interface Registry {
  /** By lower-case name. */
  readonly functions: Map<string, RegisteredFunction>;
  readonly hooks: Readonly<Record<HookName, HookCallback[]>>;
  programmingModel: ProgrammingModel | undefined;
  /** True once the application has started: then it may register no more functions. */
  started: boolean;
  onLog: ((level: LogLevel, category: string, message: string) => void) | undefined;
}

const REGISTRY_KEY = Symbol.for('anycast-failover.functions-core');

/** The one registry of this process (of this test file under jest). */
export function functionsRegistry(): Registry {
  const holder = globalThis as { [REGISTRY_KEY]?: Registry };
  holder[REGISTRY_KEY] ??= {
    functions: new Map(),
    hooks: { preInvocation: [], postInvocation: [], appStart: [], appTerminate: [], log: [] },
    programmingModel: undefined,
    started: false,
    onLog: undefined,
  };
  return holder[REGISTRY_KEY];
}

/** Worker and host versions that this stand-in speaks for. */
export const version = '3.14.1';
export const hostVersion = '4.1052.200';

/** Undoes a registration. */
export class Disposable {
  readonly #onDispose: () => void;
  constructor(onDispose: () => void) {
    this.#onDispose = onDispose;
  }
  dispose(): void {
    this.#onDispose();
  }
}

/** Throws as the worker does when the name is taken or the application has started already. */
export function registerFunction(metadata: FunctionMetadata, callback: FunctionCallback): Disposable {
  const registry = functionsRegistry();
  if (registry.started) throw new Error('A function can only be registered during app startup.');
  const key = metadata.name.toLowerCase();
  if (registry.functions.has(key)) {
    throw new Error(`A function with id "${metadata.name}" has already been registered.`);
  }
  registry.functions.set(key, { metadata, callback });
  return new Disposable(() => registry.functions.delete(key));
}

/** @azure/functions relies on the RangeError for unknown hooks to detect older hosts. */
export function registerHook(hookName: string, callback: HookCallback): Disposable {
  const registered = functionsRegistry().hooks[hookName as HookName];
  if (!registered)
    throw Object.assign(new RangeError(`Unrecognized hook "${hookName}"`), { isAzureFunctionsSystemError: true });
  registered.push(callback);
  return new Disposable(() => {
    const index = registered.indexOf(callback);
    if (index >= 0) registered.splice(index, 1);
  });
}

export function setProgrammingModel(model: ProgrammingModel): void {
  functionsRegistry().programmingModel = model;
}

export function getProgrammingModel(): ProgrammingModel | undefined {
  return functionsRegistry().programmingModel;
}

export function log(level: LogLevel, category: string, message: string): void {
  functionsRegistry().onLog?.(level, category, message);
}
