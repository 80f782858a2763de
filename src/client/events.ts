/** Listens to `GET /todos/events` with `fetch`, because an EventSource cannot send an access token. */

/**
 * Listens until the service ends the stream, or until the stream is silent for too long.
 * @param silence milliseconds without a byte, after which the connection counts as dead
 * @param hear called for everything that arrives, also for a heartbeat, with whether it reports a change
 * @throws Error when the stream breaks
 */
export async function listen(
  { body }: Response,
  silence: number,
  hear: (isChange: boolean) => void,
): Promise<void> {
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  while (reader) {
    // The reader then sees the end of the stream, whatever happens to the connection.
    const timer = setTimeout(() => reader.cancel().catch(() => {}), silence);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const lines = (line + value).split("\n");
    line = lines.pop() ?? "";
    hear(lines.includes("event: changed"));
    if (lines.includes("event: end")) return;
  }
}
