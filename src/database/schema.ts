/** The tables and their relations. `drizzle/` is generated from this file by `bun run migrations`. */
import { relations } from "drizzle-orm";
import {
  customType,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";

/**
 * A moment: milliseconds since the epoch in the table, an RFC 3339 UTC string (`2026-11-20T10:00:00.000Z`)
 * everywhere else, so that a row needs no rewriting on its way to a client.
 */
const instant = customType<{ data: string; driverData: number }>({
  dataType: () => "integer",
  toDriver: (rfc3339) => Date.parse(rfc3339),
  fromDriver: (milliseconds) => new Date(milliseconds).toISOString(),
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
  },
  (table) => [
    uniqueIndex("users_username_key").on(table.username_key),
    uniqueIndex("users_email").on(table.email),
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

export const todos = sqliteTable(
  "todos",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    user_id: integer()
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    contents: text().notNull(),
    is_done: integer({ mode: "boolean" }).notNull(),
    created_at: instant().notNull(),
    updated_at: instant().notNull(),
  },
  (table) => [
    // One for the plain list and one for the filtered: either page is a range of its index.
    index("todos_user_id").on(table.user_id, table.id),
    index("todos_user_id_is_done").on(table.user_id, table.is_done, table.id),
  ],
);

/**
 * What must expire: one-time passwords, throttles and the like. A row past `expires_at` does not exist for any
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

/** Mails that are still to be sent; a row is deleted once its mail is sent or given up. See `mail/outbox.ts`. */
export const outbox = sqliteTable(
  "outbox",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    user_id: integer()
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    to: text().notNull(),
    template: text({ enum: ["verify_email", "reset_password"] }).notNull(),
    /** What the template is filled with. */
    data: text({ mode: "json" }).$type<MailData>().notNull(),
    /** How often it was claimed for sending. */
    attempts: integer().notNull(),
    /** When it is due; while somebody sends it, when their claim lapses. */
    next_attempt_at: instant().notNull(),
    /** When there is no more use in sending it. */
    expires_at: instant().notNull(),
    created_at: instant().notNull(),
  },
  (table) => [index("outbox_next_attempt_at").on(table.next_attempt_at)],
);

/** The one-time password, and in which language to tell it. */
export interface MailData {
  otp: string;
  language: "en" | "ko";
  /** Seconds for which the one-time password is good. */
  expires_in: number;
}

export const usersRelations = relations(users, ({ many }) => ({
  sessions: many(sessions),
  todos: many(todos),
}));

export const sessionsRelations = relations(sessions, ({ one }) => ({
  user: one(users, { fields: [sessions.user_id], references: [users.id] }),
}));

export const todosRelations = relations(todos, ({ one }) => ({
  user: one(users, { fields: [todos.user_id], references: [users.id] }),
}));
