/** The migrations under `drizzle/`, in order. They are imported as text, so every build contains them. */
import initial from "../../drizzle/0000_initial.sql" with { type: "text" };
import ttlAndOutbox from "../../drizzle/0001_ttl_and_outbox.sql" with { type: "text" };
import todosToLiveWith from "../../drizzle/0002_todos_to_live_with.sql" with { type: "text" };
import withstandAbuse from "../../drizzle/0003_withstand_abuse.sql" with { type: "text" };
import disabledUsers from "../../drizzle/0004_disabled_users.sql" with { type: "text" };
import idempotency from "../../drizzle/0005_idempotency.sql" with { type: "text" };
import mailRequestId from "../../drizzle/0006_mail_request_id.sql" with { type: "text" };
import commits from "../../drizzle/0007_commits.sql" with { type: "text" };
import todosPosition from "../../drizzle/0008_todos_position.sql" with { type: "text" };
import keptAnswersIndexes from "../../drizzle/0009_kept_answers_indexes.sql" with { type: "text" };
import boundTexts from "../../drizzle/0010_bound_texts.sql" with { type: "text" };
import fewerIndexes from "../../drizzle/0011_fewer_indexes.sql" with { type: "text" };
import { type SchemaVersion, schemaVersions } from "./schema-version.ts";

/** Each migration with its tag in the journal. New ones are added here by hand. */
const texts = new Map([
  ["0000_initial", initial],
  ["0001_ttl_and_outbox", ttlAndOutbox],
  ["0002_todos_to_live_with", todosToLiveWith],
  ["0003_withstand_abuse", withstandAbuse],
  ["0004_disabled_users", disabledUsers],
  ["0005_idempotency", idempotency],
  ["0006_mail_request_id", mailRequestId],
  ["0007_commits", commits],
  ["0008_todos_position", todosPosition],
  ["0009_kept_answers_indexes", keptAnswersIndexes],
  ["0010_bound_texts", boundTexts],
  ["0011_fewer_indexes", fewerIndexes],
]);

export interface Migration extends SchemaVersion {
  /** The SQL text. Drizzle stores its SHA-256. */
  text: string;
  statements: string[];
}

export const migrations: readonly Migration[] = schemaVersions.map((version) => {
  const text = texts.get(version.tag);
  if (text === undefined)
    throw new Error(`${version.tag} is missing in src/database/migrations.ts`);
  return { ...version, text, statements: text.split("--> statement-breakpoint") };
});
