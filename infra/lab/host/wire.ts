// The shapes on the wire between the Functions host, @azure/functions and the durable-functions SDK.
// Sources: the SDK's lib/src (history, actions, entities) and the Durable extension's out-of-process protocol.

/** A value as the host's RPC protocol carries it; exactly one member is set. */
export interface RpcTypedData {
  readonly string?: string;
  readonly json?: string;
  readonly bytes?: Uint8Array;
  readonly int?: number;
  readonly double?: number;
  readonly http?: RpcHttp;
}

/** An HTTP request or response as the RPC protocol carries it. */
export interface RpcHttp {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: RpcTypedData | null;
  readonly statusCode?: string;
  readonly cookies?: readonly RpcHttpCookie[];
}

/** A protobuf wrapper around an optional value. */
type Wrapped<T> = { readonly value?: T } | undefined;

export interface RpcHttpCookie {
  readonly name: string;
  readonly value: string;
  readonly domain?: Wrapped<string>;
  readonly path?: Wrapped<string>;
  readonly expires?: { readonly value?: { readonly seconds?: number } } | undefined;
  readonly secure?: Wrapped<boolean>;
  readonly httpOnly?: Wrapped<boolean>;
  readonly sameSite?: 'none' | 'lax' | 'strict' | 'explicitNone';
  readonly maxAge?: Wrapped<number>;
}

export interface RpcInvocationResponse {
  readonly invocationId?: string | null;
  readonly returnValue?: RpcTypedData | null;
}

/** One binding of a function; triggers have a type that ends in 'Trigger'. */
export interface BindingInfo {
  readonly type: string;
  readonly direction: 'in' | 'out';
  readonly name?: string;
  // timerTrigger
  readonly schedule?: string;
  readonly runOnStartup?: boolean;
  readonly useMonitor?: boolean;
  // httpTrigger
  readonly route?: string;
  readonly methods?: readonly string[];
  readonly authLevel?: string;
}

export interface FunctionMetadata {
  readonly name: string;
  readonly bindings: Readonly<Record<string, BindingInfo>>;
}

export type LogLevel = 'trace' | 'debug' | 'information' | 'warning' | 'error' | 'critical' | 'none';

/** One log entry of the host or of a function. */
export interface LogEntry {
  readonly level: LogLevel;
  readonly category: string;
  readonly message: string;
  readonly functionName?: string;
  readonly invocationId?: string;
}

export type Log = (entry: LogEntry) => void;

// ---------- orchestration history

/** EventType numbers of the history, as DurableTask.Core names them. */
export const EventType = {
  ExecutionStarted: 0,
  ExecutionCompleted: 1,
  ExecutionFailed: 2,
  ExecutionTerminated: 3,
  TaskScheduled: 4,
  TaskCompleted: 5,
  TaskFailed: 6,
  SubOrchestrationInstanceCreated: 7,
  SubOrchestrationInstanceCompleted: 8,
  SubOrchestrationInstanceFailed: 9,
  TimerCreated: 10,
  TimerFired: 11,
  OrchestratorStarted: 12,
  OrchestratorCompleted: 13,
  EventSent: 14,
  EventRaised: 15,
  ContinueAsNew: 16,
  ExecutionSuspended: 19,
  ExecutionResumed: 20,
} as const;

/** Why a task failed, when the application supplied structured details. */
export interface FailureDetails {
  readonly ErrorType: string;
  readonly ErrorMessage: string;
  readonly StackTrace?: string;
  readonly IsNonRetriable?: boolean;
  readonly Properties?: unknown;
}

type EventTypes = typeof EventType;
type Completion = { readonly EventId: -1; readonly TaskScheduledId: number };
type Failure = Completion & {
  readonly Reason: string;
  readonly Details: string;
  readonly FailureDetails?: FailureDetails;
};

/** What happened, before the host stamps it with the time of its turn. */
export type EventBody =
  | {
      readonly EventType: EventTypes['ExecutionStarted'];
      readonly EventId: -1;
      readonly Name: string;
      readonly Version: string;
      readonly Input: string;
      readonly OrchestrationInstance: { readonly InstanceId: string; readonly ExecutionId: string };
      readonly ParentInstance: {
        readonly Name: string;
        readonly OrchestrationInstance: { readonly InstanceId: string };
        readonly TaskScheduleId: number;
      } | null;
    }
  | {
      readonly EventType: EventTypes['ExecutionCompleted'];
      readonly EventId: -1;
      readonly OrchestrationStatus: string;
      readonly Result: string | null;
    }
  | { readonly EventType: EventTypes['ExecutionTerminated']; readonly EventId: -1; readonly Input: string | null }
  | { readonly EventType: EventTypes['TaskScheduled']; readonly EventId: number; readonly Name: string }
  | (Completion & { readonly EventType: EventTypes['TaskCompleted']; readonly Result: string })
  | (Failure & { readonly EventType: EventTypes['TaskFailed'] })
  | {
      readonly EventType: EventTypes['SubOrchestrationInstanceCreated'];
      readonly EventId: number;
      readonly Name: string;
      readonly InstanceId: string;
    }
  | (Completion & { readonly EventType: EventTypes['SubOrchestrationInstanceCompleted']; readonly Result: string })
  | (Failure & { readonly EventType: EventTypes['SubOrchestrationInstanceFailed'] })
  | { readonly EventType: EventTypes['TimerCreated']; readonly EventId: number; readonly FireAt: string }
  | {
      readonly EventType: EventTypes['TimerFired'];
      readonly EventId: -1;
      readonly TimerId: number;
      readonly FireAt: string;
    }
  | { readonly EventType: EventTypes['OrchestratorStarted' | 'OrchestratorCompleted']; readonly EventId: -1 }
  | {
      readonly EventType: EventTypes['EventSent'];
      readonly EventId: number;
      readonly InstanceId: string;
      readonly Name: string;
      readonly Input: string;
    }
  | {
      readonly EventType: EventTypes['EventRaised'];
      readonly EventId: -1;
      readonly Name: string;
      readonly Input: string | null;
    }
  | {
      readonly EventType: EventTypes['ExecutionSuspended' | 'ExecutionResumed'];
      readonly EventId: -1;
      readonly Reason: string | null;
    };

/** An event of the history. IsPlayed is added when the history is handed to the SDK. */
export type HistoryEvent = EventBody & { readonly Timestamp: string };

// ---------- orchestrator actions

/** actionType numbers of the SDK's action list. */
export const ActionType = {
  CallActivity: 0,
  CallActivityWithRetry: 1,
  CallSubOrchestrator: 2,
  CallSubOrchestratorWithRetry: 3,
  ContinueAsNew: 4,
  CreateTimer: 5,
  WaitForExternalEvent: 6,
  CallEntity: 7,
  CallHttp: 8,
  SignalEntity: 9,
  WhenAny: 11,
  WhenAll: 12,
  LockEntities: 13,
  ReleaseEntities: 14,
} as const;

type ActionTypes = typeof ActionType;

/** RetryOptions of the SDK; all times in milliseconds. */
export interface RetryOptions {
  readonly firstRetryIntervalInMilliseconds: number;
  readonly maxNumberOfAttempts: number;
  readonly backoffCoefficient?: number;
  readonly maxRetryIntervalInMilliseconds?: number;
  readonly retryTimeoutInMilliseconds?: number;
}

export interface EntityReference {
  readonly name: string;
  readonly key: string;
}

export interface CallActivityAction {
  readonly actionType: ActionTypes['CallActivity'];
  readonly functionName: string;
  readonly input?: unknown;
}
export interface CallSubOrchestratorAction {
  readonly actionType: ActionTypes['CallSubOrchestrator'];
  readonly functionName: string;
  readonly input?: unknown;
  readonly instanceId?: string;
  readonly version?: string;
}

export type Action =
  | CallActivityAction
  | (Omit<CallActivityAction, 'actionType'> & {
      readonly actionType: ActionTypes['CallActivityWithRetry'];
      readonly retryOptions: RetryOptions;
    })
  | CallSubOrchestratorAction
  | (Omit<CallSubOrchestratorAction, 'actionType'> & {
      readonly actionType: ActionTypes['CallSubOrchestratorWithRetry'];
      readonly retryOptions: RetryOptions;
    })
  | { readonly actionType: ActionTypes['ContinueAsNew']; readonly input?: unknown }
  | { readonly actionType: ActionTypes['CreateTimer']; readonly fireAt: string; readonly isCanceled: boolean }
  | { readonly actionType: ActionTypes['WaitForExternalEvent']; readonly externalEventName: string }
  | {
      readonly actionType: ActionTypes['CallEntity' | 'SignalEntity'];
      readonly instanceId: string;
      readonly operation: string;
      readonly input?: unknown;
    }
  | { readonly actionType: ActionTypes['WhenAny' | 'WhenAll']; readonly compoundActions: readonly Action[] }
  | {
      readonly actionType: ActionTypes['LockEntities'];
      readonly lockSet: readonly EntityReference[];
      readonly lockRequestId: string;
    }
  | { readonly actionType: ActionTypes['ReleaseEntities'] };

/** What the SDK answers to an orchestration trigger. Each run returns the whole action list since the start. */
export interface OrchestratorState {
  readonly isDone: boolean;
  readonly actions: readonly (readonly Action[])[];
  readonly output?: unknown;
  readonly error?: string;
  readonly customStatus?: unknown;
  readonly failureDetails?: FailureDetails;
}

// ---------- entities

/** A message to an entity, as it stands in an EventSent (RequestMessage of the extension). */
export interface EntityMessage {
  /** Request id; the reply is an EventRaised of this name. */
  readonly id: string;
  /** Operation name; absent in lock requests and releases. */
  readonly op?: string;
  readonly signal?: boolean;
  /** JSON text of the operation's input. */
  readonly input?: string;
  /** Instance that sent it; absent when a client did. */
  readonly parent?: string;
  readonly parentExecution?: string;
  /** All entities of a critical section, in locking order, and the place of this entity in it. */
  readonly lockset?: readonly EntityReference[];
  readonly pos?: number;
}

/** 'op' is an operation or a lock request, 'release' gives a lock back. */
export type EntityMessageName = 'op' | 'release';

/** What the SDK answers to an entity trigger. */
export interface EntityAnswer {
  readonly entityExists: boolean;
  readonly entityState?: string | null;
  readonly results: readonly { readonly isError: boolean; readonly result?: string }[];
  readonly signals: readonly { readonly target: EntityReference; readonly name: string; readonly input: string }[];
}

/** The id under which an entity is stored; its name is lower-cased, as in EntityId.getSchedulerIdFromEntityId. */
export function schedulerId(entity: EntityReference): string {
  return `@${entity.name.toLowerCase()}@${entity.key}`;
}

/** The inverse of schedulerId; undefined when the text is not a scheduler id. */
export function parseSchedulerId(id: string): EntityReference | undefined {
  const match = /^@([^@]+)@(.*)$/s.exec(id);
  return match ? { name: match[1] ?? '', key: match[2] ?? '' } : undefined;
}

/** The JavaScript value that a function returned; bytes as base64 text. */
export function returnedValue(response: RpcInvocationResponse): unknown {
  const typed = response.returnValue;
  if (!typed) return undefined;
  if (typed.json !== undefined) return JSON.parse(typed.json);
  if (typed.bytes !== undefined) return Buffer.from(typed.bytes).toString('base64');
  return typed.string ?? typed.int ?? typed.double;
}
