/** `/users`: signing up, and what a user may do about themselves. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import { refuseWeakPassword } from "../auth/password-policy.ts";
import { readJson } from "../http/body.ts";
import { failures } from "../http/failures.ts";
import { bodyProblems, problems } from "../http/problem.ts";
import { NoContent, NoQuery } from "../http/values.ts";
import type { Services } from "../services.ts";
import { CreatedUser, NewUser, PasswordChange, PasswordConfirmation, User } from "./model.ts";
import { userQueries } from "./queries.ts";

export function userRoutes(services: Services) {
  const { config, hasher } = services;
  const queries = userQueries(services.database, services.clock);

  return new Elysia({ prefix: "/users", tags: ["Users"] })
    .use(failures)
    .use(guard(services))
    .post(
      "/sign-up",
      async ({ body: { username, password }, set, status, fail }) => {
        refuseWeakPassword(password, username, "/password");
        const user = await queries.create(username, await hasher.hash(password));
        if (!user) return fail("username_taken");
        set.headers.location = "/users/me";
        return status(201, user);
      },
      {
        parse: ({ request }) => readJson(request),
        query: NoQuery,
        body: NewUser(config.passwordMinLength),
        response: {
          201: CreatedUser,
          ...problems(...bodyProblems, "username_taken", "validation_failed", "weak_password"),
        },
        detail: { summary: "Sign up", operationId: "signUp" },
      },
    )
    .get("/me", ({ session }) => queries.me(session), {
      auth: true,
      query: NoQuery,
      response: { 200: User, ...problems("unauthorized", "validation_failed") },
      detail: { summary: "Who you are", operationId: "readMe" },
    })
    .put(
      "/me/password",
      async ({ session, body: { current_password, new_password }, status, fail }) => {
        const { username, password_hash } = await queries.credentials(session);
        refuseWeakPassword(new_password, username, "/new_password");
        if (!(await hasher.verify(password_hash, current_password))) return fail("wrong_password");
        const newHash = await hasher.hash(new_password);
        return (await queries.changePassword(session, password_hash, newHash))
          ? status(204, undefined)
          : fail("wrong_password");
      },
      {
        auth: true,
        parse: ({ request }) => readJson(request),
        query: NoQuery,
        body: PasswordChange(config.passwordMinLength),
        response: {
          204: NoContent,
          ...problems(
            ...bodyProblems,
            "unauthorized",
            "wrong_password",
            "validation_failed",
            "weak_password",
          ),
        },
        detail: {
          summary: "Change your password",
          description: "Every other session ends.",
          operationId: "changePassword",
        },
      },
    )
    .delete(
      "/me",
      async ({ session, body: { password }, status, fail }) => {
        const { password_hash } = await queries.credentials(session);
        const isRight = await hasher.verify(password_hash, password);
        return isRight && (await queries.remove(session, password_hash))
          ? status(204, undefined)
          : fail("wrong_password");
      },
      {
        auth: true,
        parse: ({ request }) => readJson(request),
        query: NoQuery,
        body: PasswordConfirmation,
        response: {
          204: NoContent,
          ...problems(...bodyProblems, "unauthorized", "wrong_password", "validation_failed"),
        },
        detail: {
          summary: "Delete yourself",
          description: "The user, the todos and the sessions are gone for good.",
          operationId: "deleteMe",
        },
      },
    );
}
