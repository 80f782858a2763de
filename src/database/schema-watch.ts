/** Whether the database's schema is too old for this version. Then requests are refused until it has been migrated. */
import { getLogger } from "@logtape/logtape";
import type { Database } from "./drizzle.ts";
import { missingMigrations } from "./migrate.ts";

const logger = getLogger(["todos", "database"]);

/** Milliseconds between two looks, while the schema is behind. */
const LOOK_INTERVAL = 1000;

export interface SchemaWatch {
  /** False until `look` has found otherwise. While it is true, each request that asks may start another look. */
  isBehind(): boolean;
  /** Looks now: how many migrations are missing. Rejects when the database cannot answer. */
  look(): Promise<number>;
}

export function watchSchema(db: Database): SchemaWatch {
  let isBehind = false;
  let lookedAt = Number.NEGATIVE_INFINITY;

  async function look(): Promise<number> {
    lookedAt = performance.now();
    const missing = await missingMigrations(db);
    if (missing > 0 && !isBehind) {
      logger.error(
        "the schema is behind by {missing} migrations: requests are answered 503 until `todos migrate` has run",
        { missing },
      );
    }
    if (missing === 0 && isBehind) logger.info("the schema is up to date");
    isBehind = missing > 0;
    return missing;
  }

  return {
    look,
    isBehind() {
      // A database that cannot answer now is asked again later.
      if (isBehind && performance.now() - lookedAt > LOOK_INTERVAL) look().catch(() => {});
      return isBehind;
    },
  };
}
