/** The tables and their relations. `drizzle/` is generated from this file by `bun run migrations`. */
import { relations, sql } from "drizzle-orm";
import {
  customType,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import { toInstant } from "../instant.ts";

/**
 * A moment: milliseconds since the epoch in the table, an RFC 3339 UTC string (`2026-11-20T10:00:00.000Z`)
 * everywhere else, so that a row needs no rewriting on its way to a client.
 */
const instant = customType<{ data: string; driverData: number }>({
  dataType: () => "integer",
  toDriver: (rfc3339) => Date.parse(rfc3339),
  fromDriver: toInstant,
});

export const users = sqliteTable(
  "users",
  {
    // AUTOINCREMENT: an id is never handed out again, so an old token can't fit a new user.
    id: integer().primaryKey({ autoIncrement: true }),
    username: text().notNull(),
    /** The user name in lower case: names are unique whatever the case, and kept as typed. */
    username_key: text().notNull(),
    password_hash: text().notNull(),
    /** Only ever a verified address, in lower case. */
    email: text(),
    created_at: instant().notNull(),
    /** Raised by one with each request that changes something of the user's; see `sync/revision.ts`. */
    revision: integer().notNull().default(0),
    /** Rows in `todos` and in `trash`. Triggers keep it, so that a limit is checked without counting rows. */
    todo_count: integer().notNull().default(0),
    /** Rows in `lists`, kept in the same way. */
    list_count: integer().notNull().default(0),
    /**
     * When the user deleted themself. Nothing of them can be reached any more, neither by a name nor by a session, and
     * `removal.ts` is about to remove the rest.
     */
    deleted_at: instant(),
    /** When an operator disabled the user: nobody can log in as them until they are enabled again. */
    disabled_at: instant(),
  },
  (table) => [
    uniqueIndex("users_username_key").on(table.username_key),
    uniqueIndex("users_email").on(table.email),
    index("users_deleted_at").on(table.deleted_at).where(sql`deleted_at IS NOT NULL`),
  ],
);

export const sessions = sqliteTable(
  "sessions",
  {
    /** 128 random bits, base64url. */
    id: text().primaryKey(),
    user_id: integer()
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    /** Counts refreshes; a refresh token is good for one generation. */
    generation: integer().notNull(),
    created_at: instant().notNull(),
    /** The log-in or the last refresh: requests in between don't write. */
    last_used_at: instant().notNull(),
    expires_at: instant().notNull(),
    user_agent: text(),
    ip: text(),
  },
  (table) => [
    index("sessions_user_id").on(table.user_id, table.created_at),
    index("sessions_expires_at").on(table.expires_at),
  ],
);

export const lists = sqliteTable(
  "lists",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    user_id: integer()
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    name: text().notNull(),
    /** The order among the user's lists. */
    position: integer().notNull(),
    /** The user's revision when the row was last changed. */
    rev: integer().notNull(),
    created_at: instant().notNull(),
    updated_at: instant().notNull(),
  },
  (table) => [index("lists_user_id_rev").on(table.user_id, table.rev)],
);

/**
 * The columns of a todo, in `todos` and in `trash`. Everything after `updated_at` came later: it has a default, because
 * a former version of the service inserts without it. Triggers in the migration fill in what such an insert leaves out.
 */
const todoColumns = () => ({
  id: integer().primaryKey({ autoIncrement: true }),
  user_id: integer()
    .notNull()
    .references(() => users.id, { onDelete: "cascade" }),
  contents: text().notNull(),
  is_done: integer({ mode: "boolean" }).notNull(),
  created_at: instant().notNull(),
  updated_at: instant().notNull(),
  /**
   * Null is the inbox. There is no foreign key, which would need one more index: what writes a list's id checks in the
   * same statement that the list is the user's own.
   */
  list_id: integer(),
  /** The order within a list; ties by id. See `database/order.ts`. */
  position: integer().notNull().default(0),
  /** The user's revision when the row was last changed; 0 only until the triggers have seen the row. */
  rev: integer().notNull().default(0),
  /** 0 (none) to 3 (high). */
  priority: integer().notNull().default(0),
  done_at: instant(),
  /** `YYYY-MM-DD`. */
  due_date: text(),
  /** `HH:MM`; null is all day. */
  due_time: text(),
  /** IANA name, only with a time. */
  due_zone: text(),
  /** The instant that these three name; null without a zone. */
  due_at: instant(),
  /** The day of the month that the user set, which a repeat comes back to after a shorter month. */
  due_day: integer(),
  /** How it repeats, as JSON. */
  repeat: text(),
  /** The text as it is searched, see `todos/search.ts`; null while a former version's text is not folded yet. */
  contents_folded: text(),
  notes: text(),
  notes_folded: text(),
});

export const todos = sqliteTable(
  "todos",
  {
    ...todoColumns(),
    /** Sorts by date, then time; all day after the timed ones of its day, and no due date after all. */
    due_order: text().generatedAlwaysAs(
      sql`CASE WHEN due_date IS NULL THEN '~' ELSE due_date || 'T' || coalesce(due_time, '~') END`,
      { mode: "virtual" },
    ),
  },
  (table) => [
    // A page by id, plain or filtered, by position, of one list or of all, or by due date is a range of an index.
    index("todos_user_id").on(table.user_id, table.id),
    index("todos_user_id_is_done").on(table.user_id, table.is_done, table.id),
    index("todos_list").on(table.user_id, table.list_id, table.position, table.id),
    index("todos_position").on(table.user_id, table.position, table.id),
    index("todos_due").on(table.user_id, table.due_order, table.id),
    index("todos_rev").on(table.user_id, table.rev),
    // The few that a former version wrote, for `todos/folding.ts` to find.
    index("todos_unfolded").on(table.id).where(sql`contents_folded IS NULL`),
  ],
);

/**
 * Deleted todos, until they are restored or deleted for good. A table of its own, so that no statement about todos
 * can forget to leave them out, least of all those of a former version that runs beside this one.
 */
export const trash = sqliteTable(
  "trash",
  {
    ...todoColumns(),
    // The id that it had in `todos`, and has again once it is restored.
    id: integer().primaryKey(),
    deleted_at: instant().notNull(),
  },
  (table) => [
    index("trash_user_id").on(table.user_id, table.deleted_at, table.id),
    index("trash_rev").on(table.user_id, table.rev),
    index("trash_deleted_at").on(table.deleted_at),
  ],
);

/**
 * What was deleted for good, without its text, for clients that have not heard of it yet. (Its migration makes it
 * WITHOUT ROWID by hand, which Drizzle has no word for.)
 */
export const deletions = sqliteTable(
  "deletions",
  {
    user_id: integer()
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    /** The user's revision since which the row is gone. */
    rev: integer().notNull(),
    type: text({ enum: ["todo", "list"] }).notNull(),
    id: integer().notNull(),
    created_at: instant().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.user_id, table.rev, table.type, table.id] }),
    index("deletions_created_at").on(table.created_at),
  ],
);

/** The addresses that users have asked to verify: at most one each, with the one-time password that was sent there. */
export const verifications = sqliteTable(
  "verifications",
  {
    user_id: integer()
      .primaryKey()
      .references(() => users.id, { onDelete: "cascade" }),
    /** 128 random bits, base64url: tells this one from the user's one before, whatever its digits. */
    id: text().notNull(),
    /** In lower case. */
    email: text().notNull(),
    /** The one-time password's MAC. */
    otp_mac: text().notNull(),
    /** Guesses so far. */
    tries: integer().notNull(),
    expires_at: instant().notNull(),
  },
  (table) => [index("verifications_expires_at").on(table.expires_at)],
);

/**
 * What must expire: reset codes, counts of failures and the like. A row past `expires_at` does not exist for any
 * reader. See `ttl.ts`. (Its migration makes it WITHOUT ROWID by hand, which Drizzle has no word for.)
 */
export const ttl = sqliteTable(
  "ttl",
  {
    kind: text().notNull(),
    key: text().notNull(),
    value: text().notNull(),
    expires_at: instant().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.key] }),
    index("ttl_expires_at").on(table.expires_at),
  ],
);

/**
 * What answers to requests with an `Idempotency-Key` are made of, for when they are sent again. A row of `ttl` says
 * which keys are known; this holds a user's own text, and so goes with what it is about. See `sync/idempotency.ts`.
 */
export const kept_answers = sqliteTable(
  "kept_answers",
  {
    user_id: integer()
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    /** SHA-256 of the key, base64url; of an operation of a batch, followed by a slash and its number. */
    key: text().notNull(),
    /** The todo that it is about, if it is about one. */
    todo_id: integer(),
    /** The values of the outcome's columns, as a JSON array. */
    outcome: text().notNull(),
    expires_at: instant().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.user_id, table.key] }),
    index("kept_answers_expires_at").on(table.expires_at),
    index("kept_answers_user_id").on(table.user_id, table.expires_at),
    index("kept_answers_todo_id").on(table.user_id, table.todo_id),
  ],
);

/**
 * How many transactions have written, in one row. By this count, the replicas and the primary of a database on a server
 * are compared (see `position.ts`). In a file of its own there is no row.
 */
export const commits = sqliteTable("commits", {
  id: integer().primaryKey(),
  count: integer().notNull(),
});

/** Mails that are still to be sent; a row is deleted once its mail is sent or given up. See `mail/outbox.ts`. */
export const outbox = sqliteTable(
  "outbox",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    user_id: integer()
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    to: text().notNull(),
    template: text({
      enum: [
        "verify_email",
        "reset_password",
        "address_replaced",
        "password_changed",
        "password_reset",
      ],
    }).notNull(),
    /** What the template is filled with. */
    data: text({ mode: "json" }).$type<MailData>().notNull(),
    /** How often it was claimed for sending. */
    attempts: integer().notNull(),
    /** When it is due; while somebody sends it, when their claim lapses. */
    next_attempt_at: instant().notNull(),
    /** When there is no more use in sending it. */
    expires_at: instant().notNull(),
    created_at: instant().notNull(),
    /** Of the mails that are due, those with the lowest number are sent first. */
    priority: integer().notNull().default(1),
    /** Of the request that it was asked for by. Null for mails of versions that did not keep it. */
    request_id: text(),
  },
  (table) => [
    index("outbox_priority").on(table.priority, table.next_attempt_at),
    index("outbox_next_attempt_at").on(table.next_attempt_at),
    index("outbox_user_id").on(table.user_id),
  ],
);

/** A mail with a code. */
export interface CodeData {
  language: "en" | "ko";
  otp: string;
  /** Seconds for which the code is good. */
  expires_in: number;
}

/** A mail that says what has happened to an account. */
export interface NoticeData {
  language: "en" | "ko";
  /** When it happened (RFC 3339, UTC). */
  at: string;
}

export type MailData = CodeData | NoticeData;

export const usersRelations = relations(users, ({ many }) => ({
  sessions: many(sessions),
  lists: many(lists),
  todos: many(todos),
  trash: many(trash),
}));

export const sessionsRelations = relations(sessions, ({ one }) => ({
  user: one(users, { fields: [sessions.user_id], references: [users.id] }),
}));

export const listsRelations = relations(lists, ({ one }) => ({
  user: one(users, { fields: [lists.user_id], references: [users.id] }),
}));

export const todosRelations = relations(todos, ({ one }) => ({
  user: one(users, { fields: [todos.user_id], references: [users.id] }),
}));

export const trashRelations = relations(trash, ({ one }) => ({
  user: one(users, { fields: [trash.user_id], references: [users.id] }),
}));
