/** A stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) about changes. */
import type { SessionRef } from "../auth/live-session.ts";
import type { Clock } from "../clock.ts";
import type { Watch } from "../sync/watch.ts";

/** Bytes that wait for a client to read them, before it is cut off. */
const MAX_UNREAD = 64 * 1024;

/** Milliseconds. */
const SECOND = 1000;

const encoder = new TextEncoder();
const COMMENT = encoder.encode(":\n\n");
const END = encoder.encode("event: end\ndata: {}\n\n");

export interface EventStreamOptions {
  session: SessionRef;
  /** When the token expires, in milliseconds since the epoch. */
  expiresAt: number;
  /** Milliseconds between two comments. */
  heartbeat: number;
  /** A cursor right behind a revision. */
  cursorAt(revision: number): string;
}

export interface EventStream {
  /**
   * Changes behind this revision are told from now on, and those that have come since the stream was opened.
   * @param isBehind whether this revision itself is still to be told
   */
  begin(revision: number, isBehind: boolean): ReadableStream<Uint8Array>;
  /** Gives the place up. */
  close(): void;
}

/** Takes a place among the streams at once. It must be begun or closed. */
export function openEventStream(
  { watch, clock }: { watch: Watch; clock: Clock },
  { session, expiresAt, heartbeat, cursorAt }: EventStreamOptions,
): EventStream {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** The last revision that was told. Until the stream has begun, none is. */
  let told = Number.POSITIVE_INFINITY;
  /** The last one that is known. */
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
      // At the tick that is nearest.
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
      // Without a reason, which Bun would print.
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
            // Its session may have ended, or the service be stopping, since it took its place.
            if (hasEnded) {
              controller.enqueue(END);
              controller.close();
              return;
            }
            // With the first bytes the headers leave.
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
