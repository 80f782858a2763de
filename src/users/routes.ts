/** `/users`: sign-up, and a user's own account. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import { refuseCommonPassword, refuseNameInPassword } from "../auth/password-policy.ts";
import { clientOf } from "../auth/passwords.ts";
import { logSecurityEvent } from "../auth/security-log.ts";
import { networkOf } from "../http/client-ip.ts";
import { exchangeOf } from "../http/exchange.ts";
import { bodyProblems, problems } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import { languageFor } from "../mail/language.ts";
import { Tokens, tokenHeaders } from "../model/tokens.ts";
import { User } from "../model/user.ts";
import { Created, NoContent } from "../model/values.ts";
import type { Services } from "../services.ts";
import { CreatedUser, PasswordUpdate, UserCreate, UserDelete } from "./model.ts";
import { userQueries } from "./queries.ts";

export function userRoutes(services: Services) {
  const { config, hasher, outbox, enqueue, confirmation, issue, removal, budgets } = services;
  const queries = userQueries(services);

  return new Elysia({ prefix: "/users", tags: ["Users"] })
    .use(strict)
    .use(guard(services))
    .post(
      "/sign-up",
      async ({ body: { username, password, email }, request, set, status, fail }) => {
        await refuseCommonPassword(password, "/password");
        refuseNameInPassword(password, username, "/password");
        const exchange = exchangeOf(request);
        budgets.refuseKnownSpent("sign_ups", exchange);
        const password_hash = await hasher.hash(password, { network: networkOf(exchange.ip) });
        const language = languageFor(request);
        const user = await queries.create(
          { username, password_hash, email: email?.toLowerCase(), language },
          exchange,
        );
        if (!user) return fail("username_taken");
        if (email) outbox.wake(enqueue.delay());
        set.headers.location = "/users/me";
        return status(201, user);
      },
      {
        parse: "strict",
        body: UserCreate(config.passwordMinLength),
        response: {
          201: Created(CreatedUser, "The user was created.", "/users/me"),
          ...problems(
            ...bodyProblems,
            "username_taken",
            "validation_failed",
            "weak_password",
            "rate_limited",
          ),
        },
        detail: {
          summary: "Sign up",
          description: "With an `email`, a one-time password to verify it is on its way.",
          operationId: "signUp",
        },
      },
    )
    .get("/me", ({ session }) => queries.me(session), {
      auth: true,
      response: { 200: User, ...problems("validation_failed") },
      detail: {
        summary: "Who you are",
        description: "Your account, with your e-mail address once it is verified.",
        operationId: "getMe",
      },
    })
    .put(
      "/me/password",
      async ({ session, body: { current_password, new_password }, request, set, fail }) => {
        await refuseCommonPassword(new_password, "/new_password");
        const exchange = exchangeOf(request);
        const record = await confirmation.record(session, exchange);
        refuseNameInPassword(new_password, record.username, "/new_password");
        if (!(await confirmation.isRight(current_password, record, session, exchange))) {
          return fail("wrong_password");
        }
        const newHash = await hasher.hash(new_password, clientOf(session, exchange));
        const language = languageFor(request);
        const grant = await queries.changePassword(session, record, newHash, language, exchange);
        if (!grant) return fail("wrong_password");
        logSecurityEvent("password_changed", exchange, session.user_id);
        outbox.wake(enqueue.delay());
        Object.assign(set.headers, tokenHeaders);
        return issue(grant);
      },
      {
        auth: true,
        parse: "strict",
        body: PasswordUpdate(config.passwordMinLength),
        response: {
          200: Tokens,
          ...problems(
            ...bodyProblems,
            "wrong_password",
            "validation_failed",
            "weak_password",
            "too_many_attempts",
          ),
        },
        detail: {
          summary: "Change your password",
          description:
            "Every other session ends. This session continues with the tokens in the answer: its former refresh token is " +
            "no longer valid. The verified address gets a mail.",
          operationId: "changePassword",
        },
      },
    )
    .delete(
      "/me",
      async ({ session, body: { password }, request, status, fail }) => {
        const exchange = exchangeOf(request);
        const record = await confirmation.record(session, exchange);
        if (!(await confirmation.isRight(password, record, session, exchange))) {
          return fail("wrong_password");
        }
        const { isRemoved, isLeft } = await queries.remove(session, record, exchange);
        if (isLeft) removal.wake();
        return isRemoved ? status(204, undefined) : fail("wrong_password");
      },
      {
        auth: true,
        parse: "strict",
        body: UserDelete,
        response: {
          204: NoContent,
          ...problems(...bodyProblems, "wrong_password", "validation_failed", "too_many_attempts"),
        },
        detail: {
          summary: "Delete yourself",
          description: "The user, the todos and the sessions are gone for good.",
          operationId: "deleteMe",
        },
      },
    );
}
