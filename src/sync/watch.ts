/**
 * Tells listeners at once when a user's revision is raised. Each process has one watcher for all of its listeners.
 * `tell` reports the writes of this process. Each second the watcher asks the database, with one statement for all
 * listeners, for the writes of other processes and for sessions that have ended.
 */
import { getLogger } from "@logtape/logtape";
import { sql } from "drizzle-orm";
import type { SessionRef } from "../auth/live-session.ts";
import type { Clock } from "../clock.ts";
import type { Database } from "../database/drizzle.ts";
import { sessions, users } from "../database/schema.ts";
import { readAtPrimary, statement } from "../database/statement.ts";

const logger = getLogger(["todos", "sync"]);

/** Milliseconds between two looks. */
const EVERY = 1000;
/** Milliseconds without a tick, after which a listener's request must have ended. */
const SILENT = 10 * EVERY;

export interface Listener {
  readonly session: SessionRef;
  /** The user's current revision. This may be called late, and more than once for the same revision. */
  changed(revision: number): void;
  /** Called once a second, before the database is asked. */
  tick(): void;
  /** Called when there will be no more events: the session has ended, or the service is about to stop. */
  end(): void;
}

export interface Watch {
  /** The number of listeners. */
  readonly listening: number;
  /** The number of listeners for one user. */
  listeningFor(user_id: number): number;
  /** @returns a function that ends it */
  listen(listener: Listener): () => void;
  /** Reports that this process has raised a user's revision. */
  tell(user_id: number, revision: number): void;
  /** Ends every listener. */
  endAll(): void;
}

interface Found {
  id: string;
  revision: number;
}

/** The ids of live sessions, with the revisions of their users. */
const ask = statement<Found>(sql`
  SELECT ${sessions.id} AS id, ${users.revision} AS revision
  FROM ${sessions} JOIN ${users} ON ${users.id} = ${sessions.user_id}
  WHERE ${sessions.id} IN (SELECT value FROM json_each(${sql.placeholder("ids")}))
    AND ${sessions.expires_at} > ${sql.placeholder("now")}`);

/**
 * @param isShared whether one request may act for another. On workerd none may. There each listener asks the database
 *   itself, and learns about this process's own writes no sooner than about others.
 */
export function createWatch(
  { database, clock }: { database: Database; clock: Clock },
  isShared = true,
): Watch {
  const byUser = new Map<number, Map<Listener, Look>>();
  const shared = createLook(database, clock);
  let listening = 0;

  function remove(listener: Listener): void {
    const { user_id } = listener.session;
    const own = byUser.get(user_id);
    const look = own?.get(listener);
    if (!own || !look) return;
    own.delete(listener);
    if (own.size === 0) byUser.delete(user_id);
    look.remove(listener);
    listening--;
  }

  /** On workerd, a request may end without any notice when its client has disconnected. Its timer ends with it. */
  function removeSilent(): void {
    if (isShared) return;
    for (const [listener, look] of all()) if (look.isSilent()) remove(listener);
  }

  const all = () => [...byUser.values()].flatMap((own) => [...own]);

  return {
    get listening() {
      removeSilent();
      return listening;
    },
    listeningFor(user_id) {
      removeSilent();
      return byUser.get(user_id)?.size ?? 0;
    },
    listen(listener) {
      const { user_id } = listener.session;
      const look = isShared ? shared : createLook(database, clock);
      const own = byUser.get(user_id) ?? new Map();
      byUser.set(user_id, own.set(listener, look));
      look.add(listener);
      listening++;
      return () => remove(listener);
    },
    tell(user_id, revision) {
      if (!isShared) return;
      for (const listener of byUser.get(user_id)?.keys() ?? []) listener.changed(revision);
    },
    endAll() {
      for (const [listener] of all()) listener.end();
    },
  };
}

type Look = ReturnType<typeof createLook>;

/** Looks each second while there are listeners. */
function createLook(database: Database, clock: Clock) {
  const listeners = new Set<Listener>();
  let timer: ReturnType<typeof setInterval> | undefined;
  let isLooking = false;
  let hasFailed = false;
  let tickedAt = performance.now();

  async function look(): Promise<void> {
    tickedAt = performance.now();
    for (const listener of listeners) listener.tick();
    // While a look takes long, no other one starts.
    if (isLooking || listeners.size === 0) return;
    isLooking = true;
    // Listeners that are added meanwhile are not part of this look.
    const asked = [...listeners];
    try {
      const ids = JSON.stringify([...new Set(asked.map(({ session }) => session.id))]);
      // A replica may not have a new session yet.
      const found = await readAtPrimary(database, ask({ ids, now: clock() }));
      const revisions = new Map(found.map(({ id, revision }) => [id, revision]));
      for (const listener of asked) {
        const revision = revisions.get(listener.session.id);
        if (revision === undefined) listener.end();
        else listener.changed(revision);
      }
      hasFailed = false;
    } catch (error) {
      // The next look tries again. Each failed request is logged anyway, so this failure is logged only once.
      if (!hasFailed) logger.warn("cannot look for changes of other nodes: {error}", { error });
      hasFailed = true;
    } finally {
      isLooking = false;
    }
  }

  return {
    add(listener: Listener): void {
      listeners.add(listener);
      timer ??= setInterval(() => void look(), EVERY);
      // The timer does not keep the process alive.
      if (typeof timer === "object") timer.unref?.();
    },
    /** Whether it should have looked by now, and has not. */
    isSilent: () => performance.now() - tickedAt > SILENT,
    remove(listener: Listener): void {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
  };
}
