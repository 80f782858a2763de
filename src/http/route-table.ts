/**
 * The routes by path. For a request that matches no route, it distinguishes 404 (no such path) from 405 (another
 * method).
 */

export interface Route {
  /** The path as it was declared: `/todos/:id`. */
  pattern: string;
  /** The methods for `Allow`: with `HEAD` wherever there is `GET`, and with `OPTIONS`. */
  methods: string[];
}

export interface RouteTable {
  /** The route at a path. A literal path is preferred to one with a parameter. */
  find(path: string): Route | undefined;
  /**
   * The literal paths that a pattern with a parameter also matches, as `/todos/:id` matches `/todos/changes`. For a
   * method that the literal path does not take, Elysia's router would use the pattern.
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
  // As in Elysia's router, a literal segment is preferred to a parameter in the same place.
  table.sort((one, other) => parameters(one.pattern) - parameters(other.pattern));
  const patterns = table.filter(hasParameter);
  const overlapping = table.filter(
    (route) => !hasParameter(route) && patterns.some((other) => isAt(other, route.segments)),
  );
  return {
    find(path) {
      const segments = path.split("/");
      return table.find((route) => isAt(route, segments));
    },
    overlapping: new Map(overlapping.map((route) => [route.pattern, route])),
  };
}

interface Segmented extends Route {
  segments: string[];
}

const isAt = (route: Segmented, segments: string[]) =>
  route.segments.length === segments.length &&
  route.segments.every((segment, i) =>
    segment.startsWith(":") ? segments[i] !== "" : segment === segments[i],
  );

const hasParameter = ({ pattern }: Route) => pattern.includes(":");

/** One for a literal path, and one more for each parameter. */
const parameters = (pattern: string) => pattern.split(":").length;
