/** Listens to `GET /todos/events` by `fetch`, since an EventSource cannot send an access token. */

/**
 * Listens until the service ends the stream, or is silent for too long.
 * @param silence milliseconds without a byte, after which the connection counts as dead
 * @param hear called for all that comes, a heartbeat too, with whether it tells of a change
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
    // It then reads the end of the stream, whatever becomes of the connection.
    const timer = setTimeout(() => reader.cancel().catch(() => {}), silence);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const lines = (line + value).split("\n");
    line = lines.pop() ?? "";
    hear(lines.includes("event: changed"));
    if (lines.includes("event: end")) return;
  }
}
