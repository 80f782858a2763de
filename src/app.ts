/** Puts the service together: every route, behind one front. */
import { Elysia } from "elysia";
import { docs } from "./docs/routes.ts";
import { health } from "./health/routes.ts";
import { failures } from "./http/failures.ts";
import { front, type Handle } from "./http/front.ts";
import { otpRoutes } from "./otp/routes.ts";
import type { Services } from "./services.ts";
import { sessionRoutes } from "./sessions/routes.ts";
import { todoRoutes } from "./todos/routes.ts";
import { userRoutes } from "./users/routes.ts";

/**
 * The whole HTTP surface. It touches no environment, clock or socket of its own, so the same app runs under
 * `Bun.serve`, under `Deno.serve` and in tests: hand requests to its `fetch`.
 */
export function createApp(services: Services) {
  // Nothing may be stripped or filled in before a 422 is told; and `/todos/` is not `/todos`.
  const routes = new Elysia({ normalize: false, strictPath: true })
    .use(failures)
    .use(userRoutes(services))
    .use(sessionRoutes(services))
    .use(otpRoutes(services))
    .use(todoRoutes(services))
    .use(health(services));
  const app = new Elysia({ normalize: false, strictPath: true }).use(routes).use(docs(routes));
  const behindFront = front(services, app.routes);
  // Elysia types what it wraps, its own request handler, as a function that returns a function.
  return app.wrap((handle) => behindFront(handle as unknown as Handle));
}

/** What the Eden treaty client is typed by. */
export type App = ReturnType<typeof createApp>;
