/** The statements behind `/lists`: one round trip each, and none could touch another user's list. */
import { eq, sql } from "drizzle-orm";
import { askLive, isLive, live, owner, type SessionRef } from "../auth/live-session.ts";
import { columnsOf, readNested } from "../database/columns.ts";
import { lastPosition, moveTo, type Place, placeOf } from "../database/order.ts";
import { deletions, lists, sessions, todos, trash, users } from "../database/schema.ts";
import { runBatch, statement } from "../database/statement.ts";
import { Failure, unfit } from "../http/problem.ts";
import type { Services } from "../services.ts";
import { nextRevision, raiseRevision } from "../sync/revision.ts";
import { discardWhere } from "../todos/trash.queries.ts";
import type { List } from "./model.ts";

const list = columnsOf(lists, ["id", "name", "position", "rev", "created_at", "updated_at"]);
/** The same columns, for a SELECT or after RETURNING. */
const columns = sql.raw(Object.keys(list.included).join());

const isOwn = sql`id = ${sql.placeholder("list_id")} AND user_id = ${owner}`;
const newRevision = sql`(SELECT ${nextRevision} FROM ${users} WHERE ${users.id} = user_id)`;

const create = statement<unknown>(sql`
  INSERT INTO ${lists} (user_id, name, position, rev, created_at, updated_at)
  SELECT ${users.id}, ${sql.placeholder("name")}, ${lastPosition(lists, sql`user_id = ${users.id}`)},
    ${nextRevision}, ${sql.placeholder("now")}, ${sql.placeholder("now")}
  FROM ${sessions} JOIN ${users} ON ${users.id} = ${sessions.user_id}
  WHERE ${isLive()} AND ${users.list_count} < ${sql.placeholder("limit")}
  RETURNING ${columns}`);

const readOne = statement<unknown>(sql`SELECT ${columns} FROM ${lists} WHERE ${isOwn}`);

const rename = statement<unknown>(sql`
  UPDATE ${lists}
  SET name = ${sql.placeholder("name")}, rev = ${newRevision}, updated_at = ${sql.placeholder("now")}
  WHERE ${isOwn} AND name <> ${sql.placeholder("name")}
  RETURNING ${columns}`);

const prepareMove = (place: Place) =>
  moveTo<unknown>(place, {
    table: lists,
    moved: sql`
      SELECT ${lists.id}, ${lists.user_id}, ${lists.position}, true AS stays, ${nextRevision} AS rev
      FROM ${lists} JOIN ${users} ON ${users.id} = ${lists.user_id}
      WHERE ${lists.id} = ${sql.placeholder("list_id")} AND ${lists.user_id} = ${owner}`,
    isInList: sql`each.user_id = moved.user_id`,
    set: sql`updated_at = ${sql.placeholder("now")}`,
    // What moved is read afterwards, as what stayed is.
    returning: sql`${lists.id}`,
  });
const moves = {
  first: prepareMove("first"),
  last: prepareMove("last"),
  after: prepareMove("after"),
};

/** One row when the list `after` is another of the user's, or null. */
const askAfter = statement<{ has_after: number }>(sql`
  SELECT ${sql.placeholder("after")} IS NULL OR EXISTS (
    SELECT 1 FROM ${lists}
    WHERE id = ${sql.placeholder("after")} AND id <> ${sql.placeholder("list_id")} AND user_id = ${owner}
  ) AS has_after`);

/** A list's todos, while the list is there. */
const isInList = sql`user_id = ${owner}
  AND list_id = (SELECT ${lists.id} FROM ${lists} WHERE ${lists.id} = ${sql.placeholder("list_id")} AND ${lists.user_id} = ${owner})`;
const discardTodos = discardWhere(isInList, sql`NULL`);
const takeTodos = statement(sql`DELETE FROM ${todos} WHERE ${isInList}`);
/** What is in the trash already comes back into the inbox, should it come back. */
const orphan = statement(sql`
  UPDATE ${trash} SET list_id = NULL, rev = ${newRevision} WHERE ${isInList}`);
const noteDeletion = statement(sql`
  INSERT INTO ${deletions} (user_id, rev, type, id, created_at)
  SELECT user_id, ${newRevision}, 'list', id, ${sql.placeholder("now")} FROM ${lists} WHERE ${isOwn}`);
const take = statement<{ id: number }>(sql`DELETE FROM ${lists} WHERE ${isOwn} RETURNING id`);

/** What `readNested` gives for a user with lists. */
type UserRow = [lists: unknown[][]];

export function listQueries({ database: db, clock, config }: Services) {
  const all = db.query.sessions
    .findFirst({
      where: isLive(),
      columns: {},
      with: {
        user: {
          columns: {},
          with: {
            lists: {
              columns: list.included,
              orderBy: (list, { asc }) => [asc(list.position), asc(list.id)],
            },
          },
        },
      },
    })
    .prepare();

  const one = db.query.sessions
    .findFirst({
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
    })
    .prepare();

  return {
    /** @throws Failure `unauthorized`, as all of these do when the session has ended */
    async list(session: SessionRef): Promise<List[]> {
      const found = await readNested<UserRow>(all, { ...session, now: clock() });
      const [rows] = live(found);
      return rows.map(list.read);
    },

    async read(session: SessionRef, list_id: number): Promise<List | undefined> {
      const found = await readNested<UserRow>(one, { ...session, now: clock(), list_id });
      const [[row]] = live(found);
      return row && list.read(row);
    },

    /** @throws Failure `limit_reached` */
    async create(session: SessionRef, name: string): Promise<List> {
      const values = { ...session, name, limit: config.listsPerUser, now: clock() };
      const [[asker], [row]] = await runBatch(db, [
        askLive(values),
        create(values),
        raiseRevision(values),
      ]);
      live(asker);
      if (!row) throw new Failure("limit_reached");
      return list.read(row);
    },

    async rename(session: SessionRef, list_id: number, name: string): Promise<List | undefined> {
      const values = { ...session, list_id, name, now: clock() };
      const [[asker], , [row]] = await runBatch(db, [
        askLive(values),
        rename(values),
        readOne(values),
        raiseRevision(values),
      ]);
      live(asker);
      return row && list.read(row);
    },

    /**
     * Puts a list behind the list `after`, or first.
     * @throws Failure `validation_failed`
     */
    async move(session: SessionRef, list_id: number, after: number | null) {
      const { renumber, move } = moves[placeOf(after)];
      const values = { ...session, list_id, after, now: clock() };
      const [[asker], [asked], , , [row]] = await runBatch(db, [
        askLive(values),
        askAfter(values),
        renumber(values),
        move(values),
        readOne(values),
        raiseRevision(values),
      ]);
      live(asker);
      if (!row) return undefined;
      if (!asked?.has_after) throw unfit("/after", "The id of another list, or null.");
      return list.read(row);
    },

    /** Deletes a list, and puts its todos into the trash: whether there was such a list. */
    async remove(session: SessionRef, list_id: number): Promise<boolean> {
      const values = { ...session, list_id, now: clock() };
      const [[asker], , , , , [taken]] = await runBatch(db, [
        askLive(values),
        discardTodos(values),
        takeTodos(values),
        orphan(values),
        noteDeletion(values),
        take(values),
        raiseRevision(values),
      ]);
      live(asker);
      return taken !== undefined;
    },
  };
}
