/** Sends the queue, one request after the other. A request that may have arrived is sent again unchanged. */
import { failureOf } from "./backoff.ts";
import type { Copy } from "./copy.ts";
import type { Sending } from "./entries.ts";
import type { ResolveConflict } from "./merge.ts";
import { problemOf } from "./problem.ts";
import { BATCH, nextRequest } from "./requests.ts";
import { type Refusal, type Result, recognized, settle } from "./results.ts";

export interface SenderOptions {
  /** Decides when a field was changed here and elsewhere. Without it, the later change wins. */
  onConflict?: ResolveConflict;
  /** Called with each change that the service has refused. The copy has already undone it. */
  onRefused?: (refusal: Refusal) => void;
}

/** Resolves with the answer, whatever its status. */
type Send = (path: string, init: RequestInit) => Promise<Response>;

/** Milliseconds for which the service remembers a request, less an hour for safety. */
const KNOWN_FOR = 23 * 3_600_000;

/**
 * @param catchUp fetches the changes
 * @throws Error when the store fails, or when the service cannot be reached or cannot answer now
 */
export async function sendQueue(
  { entries, write, saved }: Copy,
  send: Send,
  catchUp: () => Promise<void>,
  { onConflict, onRefused }: SenderOptions,
): Promise<void> {
  for (;;) {
    const sending = entries.sending ?? nextRequest(entries, onConflict);
    if (!sending) return;
    // A request from before is stored again too: the tab that made it may have failed to store it.
    write({ sending });
    await saved();
    // After a crash from here on, the store has what is needed to send the same request again.
    const isKnown = Date.now() - Date.parse(sending.at) < KNOWN_FOR;
    if (!isKnown) await catchUp();
    const results = isKnown ? await answerTo(sending, send) : recognized(entries, sending);
    const { ids, done, refusals } = settle(entries, sending, results);
    // The new rows are written before the changes leave the queue, so nobody sees a row in its former state.
    write(ids);
    await catchUp();
    write(done);
    // An error in this callback is the app's own error, and must be reported as such.
    for (const refusal of refusals) queueMicrotask(() => onRefused?.(refusal));
  }
}

/** @throws Error for an answer that says nothing about the request, such as an answer of a proxy */
async function answerTo(
  { method, path, headers, body, operations }: Sending,
  send: Send,
): Promise<Result[]> {
  const answer = await send(path, { method, headers, body });
  const { status, ok } = answer;
  // Only the deletion of a list has no body.
  if (status === 204 && method === "DELETE") return [{ status }];
  // With the other statuses, a new session or a later attempt may help.
  const isFinal = status < 500 && status !== 401 && status !== 429;
  const problem = isFinal ? await problemOf(answer) : undefined;
  if (problem) return operations.map(() => ({ status, problem }));
  if (!ok) throw failureOf(answer);
  const json = await answer.json();
  // A batch has one result for each operation, and calls a row `todo`. Any other request has one row. A proxy may answer
  // with other JSON, and with a status of success.
  const results: Result[] | undefined =
    path === BATCH ? json.results : json.id && [{ status, todo: json }];
  if (results?.length !== operations.length) throw failureOf(answer);
  return results;
}
