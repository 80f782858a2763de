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
  const isChecked = !services.config.production;
  const app = routes(services, isChecked)
    .use(entrance(services))
    .use(docs(() => routes(services, true)));
  const follow = around(services);
  return (
    app
      .use(unrouted(app.routes))
      // Elysia's type for the wrapped request handler is a function that returns a function.
      .wrap((handle) => follow(handle as unknown as Handle))
  );
}

/** @param isChecked whether each answer is checked against its schema, as in tests and in development */
function routes(services: Services, isChecked: boolean) {
  const checked = <App extends AnyElysia>(app: App) => (isChecked ? app : unchecked(app));
  const resource = <App extends AnyElysia>(app: App) => checked(refuseUndeclared(app));
  // Each level of nesting would add every route once more, and each start takes a twentieth of its time for that.
  return new Elysia(options)
    .use(failures)
    .use(resource(userRoutes(services)))
    .use(resource(exportRoutes(services)))
    .use(resource(sessionRoutes(services)))
    .use(resource(otpRoutes(services)))
    .use(resource(todoRoutes(services)))
    .use(resource(changeRoutes(services)))
    .use(resource(eventRoutes(services)))
    .use(resource(batchRoutes(services)))
    .use(resource(listRoutes(services)))
    .use(resource(trashRoutes(services)))
    .use(checked(health(services)));
}

/** The same routes without the schemas of their answers. The check would take a seventh of the time of a page of todos. */
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
