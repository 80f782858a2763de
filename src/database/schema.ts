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
 * A moment. The table has milliseconds since the epoch. All other code has an RFC 3339 UTC string
 * (`2026-11-20T10:00:00.000Z`), so a row can be sent to a client without a conversion.
 */
const instant = customType<{ data: string; driverData: number }>({
  dataType: () => "integer",
  toDriver: (rfc3339) => Date.parse(rfc3339),
  fromDriver: toInstant,
});

export const users = sqliteTable(
  "users",
  {
    // AUTOINCREMENT: an id is never used twice, so an old token cannot belong to a new user.
    id: integer().primaryKey({ autoIncrement: true }),
    username: text().notNull(),
    /** The user name in lower case. Names are unique in any case, and kept as they were typed. */
    username_key: text().notNull(),
    password_hash: text().notNull(),
    /** Only a verified address, in lower case. */
    email: text(),
    created_at: instant().notNull(),
    /** Each operation that changes something of the user's raises it by one. See `sync/revision.ts`. */
    revision: integer().notNull().default(0),
    /** Number of rows in `todos` and `trash`. Triggers update it, so a limit is checked without counting rows. */
    todo_count: integer().notNull().default(0),
    /** The sum of `text_size` of these rows, updated in the same way. */
    text_size: integer().notNull().default(0),
    /** Number of rows in `lists`, updated in the same way. */
    list_count: integer().notNull().default(0),
    /**
     * When the user was deleted. From then on nothing of the user can be reached, neither by a name nor by a session.
     * `removal.ts` removes the rows.
     */
    deleted_at: instant(),
    /** When an operator disabled the user. Nobody can log in as this user until an operator enables the user again. */
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
    /** Number of refreshes. A refresh token is valid for one generation. */
    generation: integer().notNull(),
    created_at: instant().notNull(),
    /** The log-in or the last refresh. The requests in between do not write. */
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
 * The columns of a todo, in `todos` and in `trash`. All columns after `updated_at` were added later. They have a
 * default, because a former version of the service inserts rows without them. Triggers in the migration fill in what
 * such an insert leaves out.
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
   * Null means the inbox. There is no foreign key, because it would need one more index. A statement that writes a
   * list's id checks itself that the list belongs to the user.
   */
  list_id: integer(),
  /** The order within a list. Rows with the same position are ordered by id. See `database/order.ts`. */
  position: integer().notNull().default(0),
  /** The user's revision when the row was last changed. 0 only until the triggers have run. */
  rev: integer().notNull().default(0),
  /** 0 (none) to 3 (high). */
  priority: integer().notNull().default(0),
  done_at: instant(),
  /** `YYYY-MM-DD`. */
  due_date: text(),
  /** `HH:MM`; null means all day. */
  due_time: text(),
  /** An IANA name, only with a time. */
  due_zone: text(),
  /** The instant of the three columns above; null without a zone. */
  due_at: instant(),
  /** The day of the month that the user set. A repetition returns to it after a shorter month. */
  due_day: integer(),
  /** The repetition, as JSON. */
  repeat: text(),
  /**
   * The folded text for the search, see `todos/search.ts`. Null while a text from a former version is not folded yet.
   */
  contents_folded: text(),
  notes: text(),
  notes_folded: text(),
  /** Bytes of the four texts. (The `sqlite3` of some systems has no `octet_length`, and could not open the file.) */
  text_size: integer().generatedAlwaysAs(
    sql`length(CAST(contents AS BLOB)) + coalesce(length(CAST(contents_folded AS BLOB)), 0) + coalesce(length(CAST(notes AS BLOB)), 0) + coalesce(length(CAST(notes_folded AS BLOB)), 0)`,
    { mode: "virtual" },
  ),
});

export const todos = sqliteTable(
  "todos",
  {
    ...todoColumns(),
    /**
     * Sorts by date, then by time. Todos for all day come after the timed ones of their day, and todos without a due
     * date come last.
     */
    due_order: text().generatedAlwaysAs(
      sql`CASE WHEN due_date IS NULL THEN '~' ELSE due_date || 'T' || coalesce(due_time, '~') END`,
      { mode: "virtual" },
    ),
  },
  (table) => [
    // A page by id, by position (of one list or of all), or by due date is a range of an index. For a page of the done or
    // the open todos, `is_done` is read from the first index. With 10,000 todos this takes 0.3 ms at most. One more index
    // would be faster here, but it would make adding a todo slower.
    index("todos_user_id").on(table.user_id, table.id, table.is_done),
    index("todos_list").on(table.user_id, table.list_id, table.position, table.id),
    index("todos_position").on(table.user_id, table.position, table.id),
    index("todos_due").on(table.user_id, table.due_order, table.id),
    index("todos_rev").on(table.user_id, table.rev),
    // The few rows that a former version wrote, so that `todos/folding.ts` finds them.
    index("todos_unfolded").on(table.id).where(sql`contents_folded IS NULL`),
  ],
);

/**
 * Deleted todos, until they are restored or deleted for good. This is a separate table, so that no statement about
 * todos can forget to exclude them. This includes the statements of a former version that runs at the same time.
 */
export const trash = sqliteTable(
  "trash",
  {
    ...todoColumns(),
    // The id that it had in `todos`, and gets back when it is restored.
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
 * Rows that were deleted for good, without their text, for clients that do not know about the deletion yet. (Drizzle
 * has no way to say WITHOUT ROWID, so its migration has it by hand.)
 */
export const deletions = sqliteTable(
  "deletions",
  {
    user_id: integer()
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    /** The user's revision at which the row was deleted. */
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

/**
 * The addresses that users want to verify: at most one for each user, with the one-time password that was sent there.
 */
export const verifications = sqliteTable(
  "verifications",
  {
    user_id: integer()
      .primaryKey()
      .references(() => users.id, { onDelete: "cascade" }),
    /**
     * 128 random bits, base64url. It tells this one-time password from the user's former one, even if the digits are
     * equal.
     */
    id: text().notNull(),
    /** In lower case. */
    email: text().notNull(),
    /** The one-time password's MAC. */
    otp_mac: text().notNull(),
    /** Number of guesses. */
    tries: integer().notNull(),
    expires_at: instant().notNull(),
  },
  (table) => [index("verifications_expires_at").on(table.expires_at)],
);

/**
 * Rows that expire: reset codes, counts of failures and others. For every reader, a row after its `expires_at` does not
 * exist. See `ttl.ts`. (Drizzle has no way to say WITHOUT ROWID, so its migration has it by hand.)
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
 * The content of answers to requests with an `Idempotency-Key`, for repeated requests. A row of `ttl` says which keys
 * are known. This table holds the user's own texts, so a row is deleted with its todo or its list. See
 * `sync/idempotency.ts`.
 */
export const kept_answers = sqliteTable(
  "kept_answers",
  {
    user_id: integer()
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    /** SHA-256 of the key, base64url. For an operation of a batch, a slash and its number follow. */
    key: text().notNull(),
    /** The todo that the answer is about, if there is one. */
    todo_id: integer(),
    /** The list that the answer is about, if there is one. */
    list_id: integer(),
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
 * The number of transactions that have written, in one row. This count is used to compare the replicas and the primary
 * of a database on a server (see `position.ts`). Services without DATABASE_STALE_READS do not count theirs. In an embedded
 * file there is no row.
 */
export const commits = sqliteTable("commits", {
  id: integer().primaryKey(),
  count: integer().notNull(),
});

/** Mails to send. A row is deleted when its mail was sent or given up. See `mail/outbox.ts`. */
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
    /** The values for the template. */
    data: text({ mode: "json" }).$type<MailData>().notNull(),
    /** How often the mail was claimed for sending. */
    attempts: integer().notNull(),
    /** When the mail is due. While a process sends it: when the claim of this process ends. */
    next_attempt_at: instant().notNull(),
    /** After this time the mail is no longer of any use. */
    expires_at: instant().notNull(),
    created_at: instant().notNull(),
    /** Among the mails that are due, those with the lowest number are sent first. */
    priority: integer().notNull().default(1),
    /** The id of the request that asked for the mail. Null for mails from versions that did not store it. */
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
  /** Seconds for which the code is valid. */
  expires_in: number;
}

/** A mail about a change of an account. */
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
