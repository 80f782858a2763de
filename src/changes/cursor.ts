/** A place in the order of a user's changes. It is sealed, so only this service can make one. */
import type { SessionRef } from "../auth/live-session.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { Failure, unfitParameter } from "../http/problem.ts";
import type { Seal } from "../seal.ts";
import { epochOf } from "../sync/revision.ts";

/** The place of a change. The next changes come after it. */
export interface Place {
  rev: number;
  type: "list" | "todo";
  id: number;
}

export interface Cursor extends Place {
  /**
   * The user's revision when the client started: with no rows, or with the cursor of an event. Deletions up to this
   * revision are not reported.
   */
  began: number;
  /**
   * When the client last had everything, or began with nothing, in milliseconds since the epoch. Only the last page
   * renews it, because the deletions on the remaining pages may be as old as this.
   */
  given: number;
}

/** The place after all changes with a revision up to this one. */
export const behind = (rev: number): Place => ({ rev, type: "todo", id: Number.MAX_SAFE_INTEGER });

/** Whether no change can be after the cursor while the user has this revision. */
export const isUpTo = (revision: number, { rev, id }: Place): boolean =>
  rev >= revision && id === behind(rev).id;

const expired = () => new Failure("cursor_expired");

/**
 * Refuses a cursor from before a backup was restored, because the client may have rows that were lost. If the file was
 * replaced without `todos restore`, only a cursor that is ahead of the user's revision can be recognized.
 * @throws Failure `cursor_expired`
 */
export function refuseFormer({ rev, began }: Cursor, revision: number): void {
  if (rev > revision || epochOf(began) !== epochOf(revision)) throw expired();
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
     * @param parameter the name of the parameter or header that held the cursor, for the error
     * @throws Failure `validation_failed`, `cursor_expired`
     */
    open(session: SessionRef, sealed: string, parameter = "since"): Cursor {
      const text = seal.open(contextOf(session), sealed);
      if (text === undefined) throw unfitParameter(parameter, "Not a cursor of your changes.");
      const [rev, type, id, began, given] = text.split("_");
      // Deletions are forgotten after that time, so the client could miss some of them.
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
