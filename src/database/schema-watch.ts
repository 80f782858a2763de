/** Whether the database's schema is too old for this version. Then requests are refused until it has been migrated. */
import { getLogger } from "@logtape/logtape";
import type { Database } from "./drizzle.ts";
import { missingMigrations } from "./migrate.ts";

const logger = getLogger(["todos", "database"]);

/** Milliseconds between two looks, while the schema is behind or the database cannot say. */
const LOOK_INTERVAL = 1000;

export interface SchemaWatch {
  /** False until `look` has found otherwise. While it is true, each request that asks may start another look. */
  isBehind(): boolean;
  /** Whether there is a reason to look now: nobody knows whether the schema is current, or it was behind at the last look. */
  isDue(): boolean;
  /** Looks now: how many migrations are missing. Rejects when the database cannot answer. */
  look(): Promise<number>;
}

export function watchSchema(db: Database): SchemaWatch {
  let state: "unknown" | "behind" | "current" = "unknown";
  let nextLook = Number.NEGATIVE_INFINITY;

  const isDue = () => state !== "current" && performance.now() >= nextLook;

  async function look(): Promise<number> {
    // While the schema is behind, one look at a time is enough. Before the first look has ended, nobody can rely on it.
    if (state === "behind") nextLook = performance.now() + LOOK_INTERVAL;
    try {
      const missing = await missingMigrations(db);
      if (missing > 0 && state !== "behind") {
        logger.error(
          "the schema is behind by {missing} migrations: requests are answered 503 until `todos migrate` has run",
          { missing },
        );
      }
      if (missing === 0 && state === "behind") logger.info("the schema is up to date");
      state = missing > 0 ? "behind" : "current";
      return missing;
    } finally {
      nextLook = performance.now() + LOOK_INTERVAL;
    }
  }

  return {
    look,
    isDue,
    isBehind() {
      // A database that cannot answer now is asked again later.
      if (state === "behind" && isDue()) look().catch(() => {});
      return state === "behind";
    },
  };
}
