/** Listens to `GET /todos/events` in tests. */
import type { callsTo } from "../service.ts";

export interface ServerEvent {
  event: string;
  /** Empty when it has none. */
  id: string;
  data: { rev?: number };
}

export type Events = Awaited<ReturnType<typeof listenTo>>;

/** @throws Error when the stream is refused */
export async function listenTo(
  { call }: Pick<ReturnType<typeof callsTo>, "call">,
  token: string,
  since = "",
  headers: Record<string, string> = {},
) {
  const response = await call("GET", `/todos/events${since && `?since=${since}`}`, {
    token,
    headers,
  });
  if (response.status !== 200 || !response.body) throw new Error(`events: ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const events: ServerEvent[] = [];
  let taken = 0;
  let comments = 0;
  let heard = Promise.withResolvers<void>();
  let hasClosed = false;

  async function read(): Promise<void> {
    let unfinished = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (unfinished + value).split("\n\n");
      unfinished = blocks.pop() ?? "";
      for (const block of blocks) {
        if (block.startsWith(":")) comments++;
        else events.push(parse(block));
      }
      heard.resolve();
      heard = Promise.withResolvers();
    }
  }

  const closed = read()
    .catch(() => {})
    .finally(() => {
      hasClosed = true;
      heard.resolve();
    });

  return {
    response,
    /** All events so far. */
    heard: (): readonly ServerEvent[] => events,
    /** Resolves when the stream has ended. */
    closed,
    /** The next event, now or later. */
    async next(): Promise<ServerEvent> {
      for (;;) {
        const event = events[taken];
        if (event) {
          taken++;
          return event;
        }
        if (hasClosed) throw new Error("The stream has ended");
        await heard.promise;
      }
    },
    /** Resolves when this number of comments has arrived. */
    async comments(count: number): Promise<void> {
      while (comments < count && !hasClosed) await heard.promise;
    },
    async close(): Promise<void> {
      await reader.cancel().catch(() => {});
    },
  };
}

function parse(block: string): ServerEvent {
  const fields = Object.fromEntries(
    block.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2)),
  );
  return { event: fields.event, id: fields.id ?? "", data: JSON.parse(fields.data) };
}
