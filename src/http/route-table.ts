/** The routes by path. For a request that matches no route, it tells 404 (no such path) from 405 (another method). */

export interface Route {
  /** As it was declared: `/todos/:id`. */
  pattern: string;
  /** With `HEAD` wherever there is `GET`, and `OPTIONS`: what `Allow` says. */
  methods: string[];
}

/** @param routes an Elysia app's `routes` */
export function routeTable(
  routes: readonly { method: string; path: string }[],
): (path: string) => Route | undefined {
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
  return (path) => {
    const segments = path.split("/");
    return table.find(
      (route) =>
        route.segments.length === segments.length &&
        route.segments.every((segment, i) =>
          segment.startsWith(":") ? segments[i] !== "" : segment === segments[i],
        ),
    );
  };
}

const parameters = (pattern: string) => pattern.split(":").length;
