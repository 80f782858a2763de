/** Ends the wait for something that may never come, such as an answer after a change of the network. */

/**
 * Sends a request, and reads its whole answer.
 * @param milliseconds after which the request is aborted, also while its body arrives
 * @param signal aborts the request too
 */
export function inTime(
  milliseconds: number,
  signal: AbortSignal | undefined,
  send: (signal: AbortSignal) => Promise<Response>,
): Promise<Response> {
  const limit = AbortSignal.timeout(milliseconds);
  async function exchange() {
    const answer = await send(AbortSignal.any(signal ? [signal, limit] : [limit]));
    // Some statuses allow no body, not even an empty one.
    return new Response((await answer.text()) || null, answer);
  }
  return unlessAborted(limit, exchange());
}

/** Settles as `promise` does, or rejects as soon as `signal` aborts. */
export function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    promise.finally(() => signal.removeEventListener("abort", abort)).then(resolve, reject);
  });
}
