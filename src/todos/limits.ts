/** The limits of one user's todos. Those in the trash count too. */
import { type SQL, sql } from "drizzle-orm";
import type { Config } from "../config.ts";
import { users } from "../database/schema.ts";

const MEBIBYTE = 1024 * 1024;

/** The values of the conditions below. */
export const limitsOf = ({ todosPerUser, textPerUser }: Config) => ({
  max_todos: todosPerUser,
  max_text: textPerUser * MEBIBYTE,
});

/** No text may become longer. A condition for a row of `users`, like the next one. */
export const hasTooMuchText = sql`${users.text_size} >= ${sql.placeholder("max_text")}`;

/** No todo may be added. */
export const isFull = sql`(${users.todo_count} >= ${sql.placeholder("max_todos")} OR ${hasTooMuchText})`;

/** One of these conditions for the user with this id. */
export const ofUser = (condition: SQL, user_id: SQL) =>
  sql`(SELECT ${condition} FROM ${users} WHERE ${users.id} = ${user_id})`;
