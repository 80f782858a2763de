/** Puts the app together: every route, behind one front. */
import { type AnyElysia, Elysia } from "elysia";
import { eventRoutes } from "./changes/events.routes.ts";
import { changeRoutes } from "./changes/routes.ts";
import { docs } from "./docs/routes.ts";
import { exportRoutes } from "./export/routes.ts";
import { health } from "./health/routes.ts";
import { failures } from "./http/failures.ts";
import { around, entrance, type Handle, unrouted } from "./http/front.ts";
import { refuseUndeclared } from "./http/strict.ts";
import { listRoutes } from "./lists/routes.ts";
import { otpRoutes } from "./otp/routes.ts";
import type { Services } from "./services.ts";
import { sessionRoutes } from "./sessions/routes.ts";
import { batchRoutes } from "./todos/batch.routes.ts";
import { todoRoutes } from "./todos/routes.ts";
import { trashRoutes } from "./todos/trash.routes.ts";
import { userRoutes } from "./users/routes.ts";

/**
 * The options of every part of the app. A body is checked unchanged: no member is removed or added before. `/todos/` is
 * not `/todos`. A host may be shorter than four characters, which Elysia does not expect by default.
 */
const options = {
  normalize: false,
  strictPath: true,
  handler: { standardHostname: false },
} as const;

/**
 * The whole HTTP surface. It touches no environment, clock or socket of its own, so the same app runs under
 * `Bun.serve`, under `Deno.serve` and in tests: hand requests to its `fetch`.
 */
export function createApp(services: Services) {
  const app = new Elysia(options)
    .use(entrance(services))
    .use(services.config.production ? unchecked(routes(services)) : routes(services))
    .use(docs(() => routes(services)));
  const follow = around(services);
  return (
    app
      .use(unrouted(app.routes))
      // Elysia's type for the wrapped request handler is a function that returns a function.
      .wrap((handle) => follow(handle as unknown as Handle))
  );
}

function routes(services: Services) {
  const resources = new Elysia(options)
    .use(userRoutes(services))
    .use(exportRoutes(services))
    .use(sessionRoutes(services))
    .use(otpRoutes(services))
    .use(todoRoutes(services))
    .use(changeRoutes(services))
    .use(eventRoutes(services))
    .use(batchRoutes(services))
    .use(listRoutes(services))
    .use(trashRoutes(services));
  return new Elysia(options).use(failures).use(refuseUndeclared(resources)).use(health(services));
}

/**
 * The same routes without the schemas of their answers. Tests and development check every answer. In production, the
 * check would take a seventh of the time of a page of todos.
 */
function unchecked<App extends AnyElysia>(app: App): App {
  for (const { hooks } of app.routes) {
    delete hooks.response;
    // The schemas that macros add.
    delete hooks.standaloneValidator;
  }
  return app;
}

/** The type for the Eden treaty client. */
export type App = ReturnType<typeof createApp>;
