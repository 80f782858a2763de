/** Loads something when it is first used, so that the start of the service does not wait for it. */

/**
 * A function that gives what `load` has loaded, and loads it once. After a failure, such as a lack of file handles, the next
 * call tries again.
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
