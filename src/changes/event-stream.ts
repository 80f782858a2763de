/** A stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) about changes. */
import type { SessionRef } from "../auth/live-session.ts";
import type { Clock } from "../clock.ts";
import type { Watch } from "../sync/watch.ts";

/** Bytes that may wait for a client to read them. With more, the stream is closed. */
const MAX_UNREAD = 64 * 1024;

/** Milliseconds. */
const SECOND = 1000;

const encoder = new TextEncoder();
const COMMENT = encoder.encode(":\n\n");
const END = encoder.encode("event: end\ndata: {}\n\n");

export interface EventStreamOptions {
  session: SessionRef;
  /** When the access token expires, in milliseconds since the epoch. */
  expiresAt: number;
  /** Milliseconds between two comments. */
  heartbeat: number;
  /** Makes a cursor right after a revision. */
  cursorAt(revision: number): string;
}

export interface EventStream {
  /**
   * Starts the stream. From now on it reports changes after this revision, also those since the stream was opened.
   * @param isBehind whether the client does not know this revision itself yet
   */
  begin(revision: number, isBehind: boolean): ReadableStream<Uint8Array>;
  /** Gives up the place. */
  close(): void;
}

/** Takes a place among the streams at once. The caller must begin or close the stream. */
export function openEventStream(
  { watch, clock }: { watch: Watch; clock: Clock },
  { session, expiresAt, heartbeat, cursorAt }: EventStreamOptions,
): EventStream {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** The last revision that was reported. None before the stream has begun. */
  let told = Number.POSITIVE_INFINITY;
  /** The newest revision that is known. */
  let latest = 0;
  let sentAt = clock();
  let hasEnded = false;

  const stopListening = watch.listen({
    session,
    changed(revision) {
      latest = Math.max(latest, revision);
      tellLatest();
    },
    tick() {
      if (clock() >= expiresAt) end();
      // At the nearest tick.
      else if (clock() - sentAt >= heartbeat - SECOND / 2) send(COMMENT);
    },
    end,
  });

  function tellLatest(): void {
    if (latest <= told) return;
    told = latest;
    const data = JSON.stringify({ rev: latest });
    send(encoder.encode(`event: changed\nid: ${cursorAt(latest)}\ndata: ${data}\n\n`));
  }

  function send(bytes: Uint8Array): void {
    if (!controller || hasEnded) return;
    if ((controller.desiredSize ?? 0) < bytes.length) {
      // Without a reason, because Bun would print it.
      close();
      controller.error();
      return;
    }
    controller.enqueue(bytes);
    sentAt = clock();
  }

  function end(): void {
    send(END);
    if (hasEnded) return;
    close();
    controller?.close();
  }

  function close(): void {
    hasEnded = true;
    stopListening();
  }

  return {
    close,
    begin(revision, isBehind) {
      return new ReadableStream<Uint8Array>(
        {
          start(created) {
            controller = created;
            // Since the stream took its place, its session may have ended, or the service may have begun to stop.
            if (hasEnded) {
              controller.enqueue(END);
              controller.close();
              return;
            }
            // The headers are sent with the first bytes.
            send(COMMENT);
            told = isBehind ? -1 : revision;
            latest = Math.max(latest, revision);
            tellLatest();
          },
          cancel: close,
        },
        { highWaterMark: MAX_UNREAD, size: (bytes) => bytes?.length ?? 0 },
      );
    },
  };
}
