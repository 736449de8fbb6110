// Ports whose adapter is loaded with its first call: what the first request does not need must not delay it.

type Port<T> = { readonly [K in keyof T]: (...given: never[]) => Promise<unknown> };

/**
 * @param load makes the adapter; called once, with the first call of any method. A load that fails is tried anew.
 * @param methods every method of the port.
 */
export function onDemand<T extends Port<T>>(methods: readonly (keyof T)[], load: () => Promise<T>): T {
  let loading: Promise<T> | undefined;
  const adapter = (): Promise<T> => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
  const call =
    (name: keyof T) =>
    async (...given: never[]) =>
      (await adapter())[name](...given);
  return Object.fromEntries(methods.map((name) => [name, call(name)])) as unknown as T;
}
