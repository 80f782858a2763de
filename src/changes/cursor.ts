/** Where a client stands in the order of a user's changes, sealed so that only this service makes it. */
import type { SessionRef } from "../auth/live-session.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { Failure } from "../http/problem.ts";
import type { Seal } from "../seal.ts";

/** A change's place: what is behind it comes next. */
export interface Place {
  rev: number;
  type: "list" | "todo";
  id: number;
}

export interface Cursor extends Place {
  /** Deletions up to this revision are not told: the client began with nothing, when it was the user's. */
  began: number;
  /**
   * When a client had all that there was, or began with nothing, in milliseconds since the epoch. A page that is not the
   * last does not renew it: the deletions that the rest of the pages will tell of may be as old as that.
   */
  given: number;
}

/** Behind all that has a revision up to this one. */
export const behind = (rev: number): Place => ({ rev, type: "todo", id: Number.MAX_SAFE_INTEGER });

/** Whether nothing can be behind the cursor, while the user's revision is this one. */
export const isUpTo = (revision: number, { rev, id }: Place): boolean =>
  rev >= revision && id === behind(rev).id;

const expired = () => new Failure("cursor_expired");

/** @throws Failure `cursor_expired` when the cursor is ahead of the user, as after a backup was restored */
export function refuseAhead({ rev }: Place, revision: number): void {
  if (rev > revision) throw expired();
}

export function changeCursors({
  seal,
  clock,
  config,
}: {
  seal: Seal;
  clock: Clock;
  config: Config;
}) {
  const contextOf = ({ user_id }: SessionRef) => `changes ${user_id}`;

  return {
    close: (session: SessionRef, { rev, type, id, began, given }: Cursor): string =>
      seal.close(contextOf(session), [rev, type, id, began, given].join("_")),

    /**
     * @param parameter the name of what it came in, for the error
     * @throws Failure `validation_failed`, `cursor_expired`
     */
    open(session: SessionRef, sealed: string, parameter = "since"): Cursor {
      const text = seal.open(contextOf(session), sealed);
      if (text === undefined) {
        const detail = "Not a cursor of your changes.";
        throw new Failure("validation_failed", { errors: [{ parameter, detail }] });
      }
      const [rev, type, id, began, given] = text.split("_");
      // Deletions are forgotten after that time, so nobody could be told of them.
      if (Number(given) <= clock() - config.changesTtl * 1000) throw expired();
      return {
        rev: Number(rev),
        type: type === "list" ? "list" : "todo",
        id: Number(id),
        began: Number(began),
        given: Number(given),
      };
    },
  };
}
