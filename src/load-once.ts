/** Loads something when it is first used, so that the start of the service does not wait for it. */

/**
 * Returns a function that calls `load` once and then always returns its result. After a failure, for example when no file
 * handles are left, the next call tries again.
 */
export function loadOnce<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => {
    loading ??= load().catch((error) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
}
