/** Whether the database's schema is too old for this version. Then requests are refused until it has been migrated. */
import { getLogger } from "@logtape/logtape";
import type { Database } from "./drizzle.ts";
import { missingMigrations } from "./schema-version.ts";

const logger = getLogger(["todos", "database"]);

/** Milliseconds between two looks, while the schema is behind or the database cannot answer. */
const LOOK_INTERVAL = 1000;

export interface SchemaWatch {
  /**
   * False until a look finds that the schema is behind. Until one finds that it is current, the requests that ask start
   * further looks.
   */
  isBehind(): boolean;
  /** Whether it is time to look: no look has succeeded yet, or the schema was behind at the last look. */
  isDue(): boolean;
  /** Looks now. Returns the number of missing migrations. Rejects when the database cannot answer. */
  look(): Promise<number>;
}

export function watchSchema(db: Database): SchemaWatch {
  let state: "unknown" | "behind" | "current" = "unknown";
  let nextLook = Number.NEGATIVE_INFINITY;

  const isDue = () => state !== "current" && performance.now() >= nextLook;

  async function look(): Promise<number> {
    // While the schema is behind, one look for all requests is enough. Before the first look has ended, each request
    // has to look for itself.
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
      if (isDue()) {
        // One look for all requests. If the database cannot answer now, it is asked again later.
        nextLook = performance.now() + LOOK_INTERVAL;
        look().catch(() => {});
      }
      return state === "behind";
    },
  };
}
