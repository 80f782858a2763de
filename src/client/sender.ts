/** Sends the queue, one request after the other. A request that may have arrived is sent again as it was. */
import { failureOf } from "./backoff.ts";
import type { Copy } from "./copy.ts";
import type { Sending } from "./entries.ts";
import type { ResolveConflict } from "./merge.ts";
import { nextRequest } from "./requests.ts";
import { type Problem, type Refusal, type Result, recognize, settle } from "./results.ts";
import type { Row } from "./rows.ts";

export interface SenderOptions {
  /** Decides where a field was changed here and elsewhere. Without it, the later change wins. */
  onConflict?: ResolveConflict;
  /** Called with each change that the service has refused. The copy no longer has it. */
  onRefused?: (refusal: Refusal) => void;
}

/** Milliseconds for which the service knows a request again, with an hour to spare. */
const KNOWN_FOR = 23 * 3_600_000;

/**
 * @param send resolves with the answer, whatever its status
 * @param catchUp fetches what has changed
 * @throws Error when the service cannot be reached, or not now
 */
export async function sendQueue(
  { entries, write, saved }: Copy,
  send: (path: string, init: RequestInit) => Promise<Response>,
  catchUp: () => Promise<void>,
  { onConflict, onRefused }: SenderOptions,
): Promise<void> {
  for (;;) {
    const { sending } = entries;
    if (!sending) {
      const next = nextRequest(entries, onConflict);
      if (!next) return;
      write({ sending: next });
      continue;
    }
    if (Date.now() - Date.parse(sending.at) > KNOWN_FOR) {
      write(recognize(entries, sending));
      continue;
    }
    // A crash from here on leaves what is needed to send the same again.
    await saved();
    const { method, path, body } = sending;
    const headers = { "content-type": "application/json", ...sending.headers };
    const answer = await send(path, { method, headers, body });
    const { ids, done, refusals } = settle(sending, await resultsIn(answer, sending));
    // The rows come before the changes to them leave the queue, so nobody sees a row as it was.
    write(ids);
    await catchUp();
    write(done);
    // An error in there is the app's own, and is to be seen as such.
    for (const refusal of refusals) queueMicrotask(() => onRefused?.(refusal));
  }
}

/** @throws Error for an answer that says nothing about the request, such as a proxy's */
async function resultsIn(answer: Response, { path, operations }: Sending): Promise<Result[]> {
  const { status, ok } = answer;
  const isProblem = answer.headers.get("content-type")?.includes("problem+json");
  // A new session, or some patience, would help with the others.
  if (isProblem && status < 500 && status !== 401 && status !== 429) {
    const problem: Problem = await answer.json();
    return operations.map(() => ({ status, problem }));
  }
  if (!ok) throw failureOf(answer);
  const content = status === 204 ? {} : await answer.json();
  if (path !== "/todos/batch") return [{ status, id: content.id }];
  const results: (Result & { todo?: Row })[] = content.results;
  return results.map(({ todo, ...result }) => ({ ...result, id: todo?.id }));
}
