/** The statements behind `/lists`. Each operation is one round trip, and none can reach another user's list. */
import { eq, sql } from "drizzle-orm";
import { isLive, live, owner, type SessionRef } from "../auth/live-session.ts";
import { nested } from "../database/columns.ts";
import { lastPosition, moveTo, type Place } from "../database/order.ts";
import { deletions, lists, sessions, todos, trash, users } from "../database/schema.ts";
import { statement } from "../database/statement.ts";
import { Failure, unfit } from "../http/problem.ts";
import type { Services } from "../services.ts";
import { isKnown, type KnownRevisions } from "../sync/etag.ts";
import { forgetAnswersAbout } from "../sync/idempotency.ts";
import {
  type Asker,
  type Operation,
  type OutcomeRow,
  operation,
  outcomeOf,
} from "../sync/operation.ts";
import { type IfMatch, matches, preconditionFailed } from "../sync/preconditions.ts";
import { nextRevision } from "../sync/revision.ts";
import { isNew } from "../sync/writer.ts";
import { discardWhere } from "../todos/trash.queries.ts";
import type { List } from "./model.ts";
import { list, listColumns } from "./row.ts";

const isOwn = sql`id = ${sql.placeholder("list_id")} AND user_id = ${owner}`;
const newRevision = sql`(SELECT ${nextRevision} FROM ${users} WHERE ${users.id} = user_id)`;

const create = statement(sql`
  INSERT INTO ${lists} (user_id, name, position, rev, created_at, updated_at)
  SELECT ${users.id}, ${sql.placeholder("name")}, ${lastPosition(lists, sql`user_id = ${users.id}`)},
    ${nextRevision}, ${sql.placeholder("now")}, ${sql.placeholder("now")}
  FROM ${sessions} JOIN ${users} ON ${users.id} = ${sessions.user_id}
  WHERE ${isLive()} AND ${isNew} AND ${users.list_count} < ${sql.placeholder("limit")}`);
const created = outcomeOf<{ id: number | null }>({
  columns: listColumns,
  joins: sql`LEFT JOIN ${lists} ON ${lists.user_id} = ${users.id} AND ${lists.rev} = ${nextRevision}`,
  succeeded: sql`${lists.id} IS NOT NULL`,
  list_id: sql`${lists.id}`,
});

/** A list after a change, or unchanged, with the reasons why it could not be changed. */
interface State {
  /** Null when there is no such list. */
  id: number | null;
  is_changed: number;
  matches: number;
}
const isChanged = sql`${lists.rev} = ${nextRevision}`;
const state = { ...listColumns, is_changed: isChanged, matches: matches(lists.rev) };
const joins = sql`
  LEFT JOIN ${lists} ON ${lists.id} = ${sql.placeholder("list_id")} AND ${lists.user_id} = ${users.id}`;

const rename = statement(sql`
  UPDATE ${lists}
  SET name = ${sql.placeholder("name")}, rev = ${newRevision}, updated_at = ${sql.placeholder("now")}
  WHERE ${isOwn} AND name <> ${sql.placeholder("name")} AND ${matches(lists.rev)}`);
const renamed = outcomeOf<State>({ columns: state, joins });

const prepareMove = (place: Place) =>
  moveTo(place, {
    table: lists,
    moved: sql`
      SELECT ${lists.id}, ${lists.user_id}, ${lists.position}, true AS stays, ${nextRevision} AS rev
      FROM ${lists} JOIN ${users} ON ${users.id} = ${lists.user_id}
      WHERE ${lists.id} = ${sql.placeholder("list_id")} AND ${lists.user_id} = ${owner}
        AND ${isNew} AND ${matches(lists.rev)}`,
    isInList: sql`each.user_id = moved.user_id`,
    set: sql`updated_at = ${sql.placeholder("now")}`,
  });
const moves = { first: prepareMove("first"), after: prepareMove("after") };

const hasAfter = sql`(${sql.placeholder("after")} IS NULL OR EXISTS (
  SELECT 1 FROM ${lists} AS each
  WHERE each.id = ${sql.placeholder("after")} AND each.id <> ${lists.id} AND each.user_id = ${users.id}
))`;
const moved = outcomeOf<State & { has_after: number }>({
  columns: { ...state, has_after: hasAfter },
  joins,
  succeeded: sql`${lists.id} IS NOT NULL AND (${isChanged} OR (${matches(lists.rev)} AND ${hasAfter}))`,
  list_id: sql`${lists.id}`,
});

const noteDeletion = statement(sql`
  INSERT INTO ${deletions} (user_id, rev, type, id, created_at)
  SELECT user_id, ${newRevision}, 'list', id, ${sql.placeholder("now")}
  FROM ${lists} WHERE ${isOwn} AND ${matches(lists.rev)}`);
const isNoted = sql`EXISTS (
  SELECT 1 FROM ${deletions} JOIN ${users} ON ${users.id} = ${deletions.user_id}
  WHERE ${deletions.user_id} = ${owner} AND ${deletions.rev} = ${nextRevision}
    AND ${deletions.type} = 'list' AND ${deletions.id} = ${sql.placeholder("list_id")}
)`;
/** The todos of a list that is about to be deleted. */
const isInList = sql`user_id = ${owner} AND list_id = ${sql.placeholder("list_id")} AND ${isNoted}`;
const discardTodos = discardWhere(isInList, sql`NULL`);
const takeTodos = statement(sql`DELETE FROM ${todos} WHERE ${isInList}`);
/** Todos that are already in the trash return to the inbox when they are restored. */
const orphan = statement(sql`
  UPDATE ${trash} SET list_id = NULL, rev = ${newRevision} WHERE ${isInList}`);
const forgetAnswers = forgetAnswersAbout(
  sql`list_id = ${sql.placeholder("list_id")} AND ${isNoted}`,
);
const take = statement(sql`DELETE FROM ${lists} WHERE ${isOwn} AND ${isNoted}`);
const removed = outcomeOf<State & { is_removed: number }>({
  columns: { ...state, is_removed: isNoted },
  joins,
});

/** What `nested` returns for a user with lists. */
type UserRow = [lists: unknown[][]];
type RevisedRow = [revision: number, ...UserRow];

/** @throws Failure `list_not_found`, `precondition_failed` */
function judge(found: OutcomeRow<State>): List {
  if (found.id === null) throw new Failure("list_not_found");
  const row = list.read(found);
  if (!found.is_changed && !found.matches) throw preconditionFailed(row);
  return row;
}

export function listQueries({ database: db, clock, config }: Services) {
  const all = nested<RevisedRow>(
    db.query.sessions.findFirst({
      where: isLive(),
      columns: {},
      with: {
        user: {
          columns: { revision: true },
          with: {
            lists: {
              columns: list.included,
              where: sql`NOT ${isKnown}`,
              orderBy: (list, { asc }) => [asc(list.position), asc(list.id)],
            },
          },
        },
      },
    }),
  );

  const one = nested<UserRow>(
    db.query.sessions.findFirst({
      where: isLive(),
      columns: {},
      with: {
        user: {
          columns: {},
          with: {
            lists: { columns: list.included, where: eq(lists.id, sql.placeholder("list_id")) },
          },
        },
      },
    }),
  );

  return {
    /**
     * All lists, and the user's revision. No lists when the client already has this revision (`known`).
     * @throws Failure `unauthorized`, as `read` does
     */
    async list(session: SessionRef, known: KnownRevisions) {
      const found = await all({ ...session, now: clock(), ...known });
      const [revision, rows] = live(found);
      return { lists: rows.map(list.read), revision };
    },

    async read(session: SessionRef, list_id: number): Promise<List | undefined> {
      const found = await one({ ...session, now: clock(), list_id });
      const [[row]] = live(found);
      return row && list.read(row);
    },

    /** When it runs, it throws Failure `limit_reached`. */
    create(asker: Asker, name: string): Operation<List> {
      const values = { ...asker, name, limit: config.listsPerUser };
      return operation(values, [create], created, (found) => {
        if (found.id === null) throw new Failure("limit_reached");
        return list.read(found);
      });
    },

    /** When it runs, it throws Failure `list_not_found`, `precondition_failed`. */
    rename(asker: Asker, list_id: number, name: string, if_match: IfMatch): Operation<List> {
      const values = { ...asker, list_id, name, if_match };
      return operation(values, [rename], renamed, judge);
    },

    /**
     * Moves a list after the list `after`, or to the front. When it runs, it throws Failure `list_not_found`,
     * `precondition_failed`, `validation_failed`.
     */
    move(asker: Asker, list_id: number, after: number | null, if_match: IfMatch): Operation<List> {
      const { renumber, move } = after === null ? moves.first : moves.after;
      const values = { ...asker, list_id, after, if_match };
      return operation(values, [renumber, move], moved, (found) => {
        const row = judge(found);
        if (!found.has_after) throw unfit("/after", "The id of another list, or null.");
        return row;
      });
    },

    /**
     * Deletes a list, and moves its todos to the trash. When it runs, it throws Failure `list_not_found`,
     * `precondition_failed`.
     */
    remove(asker: Asker, list_id: number, if_match: IfMatch): Operation<void> {
      const values = { ...asker, list_id, if_match };
      const changes = [noteDeletion, discardTodos, takeTodos, orphan, forgetAnswers, take];
      return operation(values, changes, removed, (found) => {
        if (!found.is_removed) judge(found);
      });
    },
  };
}
