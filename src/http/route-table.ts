/** The routes by path. For a request that matches no route, it tells 404 (no such path) from 405 (another method). */

export interface Route {
  /** As it was declared: `/todos/:id`. */
  pattern: string;
  /** With `HEAD` wherever there is `GET`, and `OPTIONS`: what `Allow` says. */
  methods: string[];
}

export interface RouteTable {
  /** The route at a path, a literal one before one with a parameter. */
  find(path: string): Route | undefined;
  /**
   * The literal paths that a pattern with a parameter matches too, as `/todos/:id` matches `/todos/changes`. Elysia's
   * router falls back to the pattern for a method that the literal path does not take.
   */
  overlapping: ReadonlyMap<string, Route>;
}

/** @param routes an Elysia app's `routes` */
export function routeTable(routes: readonly { method: string; path: string }[]): RouteTable {
  const table = Array.from(
    Map.groupBy(routes, ({ path }) => path),
    ([pattern, same]) => {
      const methods = same.map(({ method }) => method);
      if (methods.includes("GET")) methods.push("HEAD");
      return { pattern, methods: [...methods, "OPTIONS"], segments: pattern.split("/") };
    },
  );
  // A literal path wins over one with a parameter in the same place, as in Elysia's router.
  table.sort((one, other) => parameters(one.pattern) - parameters(other.pattern));
  const allAt = (path: string) => {
    const segments = path.split("/");
    return table.filter(
      (route) =>
        route.segments.length === segments.length &&
        route.segments.every((segment, i) =>
          segment.startsWith(":") ? segments[i] !== "" : segment === segments[i],
        ),
    );
  };
  const overlapping = table.filter(
    ({ pattern }) => parameters(pattern) === 1 && allAt(pattern).length > 1,
  );
  return {
    find: (path) => allAt(path)[0],
    overlapping: new Map(overlapping.map((route) => [route.pattern, route])),
  };
}

/** One for a literal path, and one more for each parameter. */
const parameters = (pattern: string) => pattern.split(":").length;
