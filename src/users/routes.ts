/** `/users`: signing up, and what a user may do about themselves. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import { refuseCommonPassword, refuseNameInPassword } from "../auth/password-policy.ts";
import { networkOf } from "../http/client-ip.ts";
import { exchangeOf } from "../http/exchange.ts";
import { bodyProblems, problems } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import { languageOf } from "../mail/language.ts";
import { User } from "../model/user.ts";
import { Created, NoContent } from "../model/values.ts";
import type { Services } from "../services.ts";
import { CreatedUser, PasswordUpdate, UserCreate, UserDelete } from "./model.ts";
import { type PasswordRecord, userQueries } from "./queries.ts";

export function userRoutes(services: Services) {
  const { config, hasher, outbox } = services;
  const queries = userQueries(services);

  /** Whether it is the user's password; one that is not is counted. */
  async function isRight(password: string, user: PasswordRecord, ip: string | null) {
    if (await hasher.verify(user.password_hash, password, networkOf(ip))) return true;
    await queries.fail({ account: user.username_key, ip });
    return false;
  }

  return new Elysia({ prefix: "/users", tags: ["Users"] })
    .use(strict)
    .use(guard(services))
    .post(
      "/sign-up",
      async ({ body: { username, password, email }, request, set, status, fail }) => {
        refuseCommonPassword(password, "/password");
        refuseNameInPassword(password, username, "/password");
        const hash = await hasher.hash(password, networkOf(exchangeOf(request).ip));
        const language = languageOf(request.headers.get("accept-language"));
        const user = email
          ? await queries.createWithEmail(username, hash, email.toLowerCase(), language)
          : await queries.create(username, hash);
        if (!user) return fail("username_taken");
        if (email) outbox.wake();
        set.headers.location = "/users/me";
        return status(201, user);
      },
      {
        parse: "strict",
        body: UserCreate(config.passwordMinLength),
        response: {
          201: Created(CreatedUser, "The user was created.", "/users/me"),
          ...problems(...bodyProblems, "username_taken", "validation_failed", "weak_password"),
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
        description: "You, with your e-mail address once it is verified.",
        operationId: "getMe",
      },
    })
    .put(
      "/me/password",
      async ({ session, body: { current_password, new_password }, request, status, fail }) => {
        refuseCommonPassword(new_password, "/new_password");
        const { ip } = exchangeOf(request);
        const record = await queries.passwordRecord(session, ip);
        refuseNameInPassword(new_password, record.username, "/new_password");
        if (!(await isRight(current_password, record, ip))) return fail("wrong_password");
        const newHash = await hasher.hash(new_password, networkOf(ip));
        return (await queries.changePassword(session, record, newHash, ip))
          ? status(204, undefined)
          : fail("wrong_password");
      },
      {
        auth: true,
        parse: "strict",
        body: PasswordUpdate(config.passwordMinLength),
        response: {
          204: NoContent,
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
          description: "Every other session ends.",
          operationId: "changePassword",
        },
      },
    )
    .delete(
      "/me",
      async ({ session, body: { password }, request, status, fail }) => {
        const { ip } = exchangeOf(request);
        const record = await queries.passwordRecord(session, ip);
        if (!(await isRight(password, record, ip))) return fail("wrong_password");
        return (await queries.remove(session, record, ip))
          ? status(204, undefined)
          : fail("wrong_password");
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
