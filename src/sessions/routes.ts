/** Sessions: log-in, refresh, log-out, and the list of a user's sessions. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import { bodyProblems, problems } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import { Tokens, tokenHeaders } from "../model/tokens.ts";
import { idParameter, NoContent } from "../model/values.ts";
import type { Services } from "../services.ts";
import { createGrants } from "./grants.ts";
import { Session, SessionCreate, SessionRefresh, Sessions, toSessionId } from "./model.ts";
import { oauthRoutes } from "./oauth.ts";
import { sessionQueries } from "./queries.ts";

export function sessionRoutes(services: Services) {
  const { config } = services;
  const queries = sessionQueries(services);
  const grants = createGrants(services, queries);

  const sessionId = idParameter({ ...Session.properties.id, minLength: 22, maxLength: 22 });

  const underUsers = new Elysia({ prefix: "/users", tags: ["Sessions"] })
    .use(strict)
    .use(guard(services))
    .post(
      "/log-in",
      async ({ request, body: { username, password }, set, fail }) => {
        Object.assign(set.headers, tokenHeaders);
        return (
          (await grants.byPassword(request, username, password)) ?? fail("invalid_credentials")
        );
      },
      {
        parse: "strict",
        body: SessionCreate,
        response: {
          200: Tokens,
          ...problems(
            ...bodyProblems,
            "invalid_credentials",
            "too_many_attempts",
            "rate_limited",
            "validation_failed",
          ),
        },
        detail: {
          summary: "Log in",
          description:
            "Begins a session. The answer is the same for an unknown user as for a wrong password.",
          operationId: "logIn",
        },
      },
    )
    .post(
      "/refresh",
      async ({ request, body, set, fail }) => {
        Object.assign(set.headers, tokenHeaders);
        return (
          (await grants.byRefreshToken(request, body.refresh_token)) ??
          fail("invalid_refresh_token")
        );
      },
      {
        parse: "strict",
        body: SessionRefresh,
        response: {
          200: Tokens,
          ...problems(...bodyProblems, "invalid_refresh_token", "validation_failed"),
        },
        detail: {
          summary: "Refresh the tokens",
          description:
            `Replaces both tokens. The refresh token before the current one may be sent again for ` +
            `${config.refreshLeeway} seconds, if the answer was lost, and gets the same successor; ` +
            "anything older ends the session.",
          operationId: "refreshTokens",
        },
      },
    )
    .post(
      "/log-out",
      async ({ session, status }) => {
        await queries.logOut(session);
        return status(204, undefined);
      },
      {
        auth: true,
        response: { 204: NoContent, ...problems("validation_failed") },
        detail: {
          summary: "Log out",
          description: "Ends the session: its tokens are refused from the very next request.",
          operationId: "logOut",
        },
      },
    )
    .get("/me/sessions", async ({ session }) => ({ sessions: await queries.list(session) }), {
      auth: true,
      response: { 200: Sessions, ...problems("validation_failed") },
      detail: {
        summary: "List your sessions",
        description: "The live ones, the newest first, each with where it began.",
        operationId: "listSessions",
      },
    })
    .delete(
      "/me/sessions/:id",
      async ({ session, params, status, fail }) =>
        (await queries.end(session, toSessionId(params.id)))
          ? status(204, undefined)
          : fail("session_not_found"),
      {
        auth: true,
        response: {
          204: NoContent,
          ...problems("session_not_found", "validation_failed"),
        },
        detail: {
          summary: "End a session",
          description: "Its tokens are refused from the very next request.",
          operationId: "endSession",
          parameters: [sessionId],
        },
      },
    )
    .delete(
      "/me/sessions",
      async ({ session, status }) => {
        await queries.endAll(session);
        return status(204, undefined);
      },
      {
        auth: true,
        response: { 204: NoContent, ...problems("validation_failed") },
        detail: {
          summary: "End every session",
          description: "This one too.",
          operationId: "endAllSessions",
        },
      },
    );

  return new Elysia().use(underUsers).use(oauthRoutes(services, grants));
}
