// What the durableClient input binding carries (BindingHelper.cs): where the real DurableClient finds its task hub.
import type { RpcTypedData } from './wire.ts';

/** Path of the management API on the host's own port, where createCheckStatusResponse points. */
export const WEBHOOK_PATH = '/runtime/webhooks/durabletask';
/** Path of the local endpoint that the client itself calls. */
export const RPC_PATH = '/durabletask';

/** Stands for the instance id in the urls; the SDK replaces it. */
const ID_PLACEHOLDER = 'INSTANCEID';

export interface DurableClientBindingOptions {
  readonly hubName: string;
  /** Origin of the host's own port. */
  readonly origin: string;
  /** The local endpoint of the process that owns the task hub, ending in '/durabletask/'. */
  readonly rpcUrl: string;
  readonly systemKey: string;
}

export function durableClientBinding({
  hubName,
  origin,
  rpcUrl,
  systemKey,
}: DurableClientBindingOptions): RpcTypedData {
  const baseUrl = `${origin}${WEBHOOK_PATH}`;
  const required = `taskHub=${hubName}&connection=Storage&code=${encodeURIComponent(systemKey)}`;
  const instance = (rest: string) =>
    `${baseUrl}/instances/${ID_PLACEHOLDER}${rest}${rest.includes('?') ? '&' : '?'}${required}`;
  return {
    string: JSON.stringify({
      taskHubName: hubName,
      creationUrls: { createNewInstancePostUri: `${baseUrl}/orchestrators/{functionName}[/{instanceId}]?${required}` },
      managementUrls: {
        id: ID_PLACEHOLDER,
        statusQueryGetUri: instance(''),
        sendEventPostUri: instance('/raiseEvent/{eventName}'),
        terminatePostUri: instance('/terminate?reason={text}'),
        rewindPostUri: instance('/rewind?reason={text}'),
        suspendPostUri: instance('/suspend?reason={text}'),
        resumePostUri: instance('/resume?reason={text}'),
        purgeHistoryDeleteUri: instance(''),
      },
      baseUrl,
      requiredQueryStringParameters: required,
      rpcBaseUrl: rpcUrl,
    }),
  };
}
