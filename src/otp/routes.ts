/** One-time passwords by mail: to verify an address, and to reset a forgotten password. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import { refuseCommonPassword, refuseNameInPassword } from "../auth/password-policy.ts";
import { networkOf } from "../http/client-ip.ts";
import { exchangeOf } from "../http/exchange.ts";
import { bodyProblems, problems } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import { languageOf } from "../mail/language.ts";
import { User } from "../model/user.ts";
import { NoContent } from "../model/values.ts";
import type { Services } from "../services.ts";
import { OtpRequest, OtpSent, OtpVerify, PasswordReset } from "./model.ts";
import { otpQueries } from "./queries.ts";

export function otpRoutes(services: Services) {
  const { config, hasher, outbox } = services;
  const queries = otpQueries(services);
  const languageFor = (request: Request) => languageOf(request.headers.get("accept-language"));

  return new Elysia({ prefix: "/users", tags: ["One-time passwords"] })
    .use(strict)
    .use(guard(services))
    .post(
      "/email/otp",
      async ({ session, body, request, status }) => {
        const email = body.email.toLowerCase();
        const sent = await queries.sendVerification(session, email, languageFor(request));
        outbox.wake();
        return status(202, sent);
      },
      {
        auth: true,
        parse: "strict",
        body: OtpRequest,
        response: {
          202: OtpSent,
          ...problems(...bodyProblems, "validation_failed", "otp_cooldown"),
        },
        detail: {
          summary: "Ask for a one-time password to verify an address",
          description: "The mail is in Korean if `Accept-Language` prefers it, else in English.",
          operationId: "sendEmailOtp",
        },
      },
    )
    .post(
      "/email/otp/verify",
      async ({ session, body, fail }) =>
        (await queries.verify(session, body.otp)) ?? fail("invalid_otp"),
      {
        auth: true,
        parse: "strict",
        body: OtpVerify,
        response: {
          200: User,
          ...problems(...bodyProblems, "invalid_otp", "validation_failed"),
        },
        detail: {
          summary: "Verify the address",
          description: "It is then yours, and you may log in by it.",
          operationId: "verifyEmail",
        },
      },
    )
    .post(
      "/password/otp",
      async ({ body, request, status }) => {
        const sent = await queries.sendReset(body.email.toLowerCase(), languageFor(request));
        outbox.wake();
        return status(202, sent);
      },
      {
        parse: "strict",
        body: OtpRequest,
        response: {
          202: OtpSent,
          ...problems(...bodyProblems, "validation_failed", "otp_cooldown"),
        },
        detail: {
          summary: "Ask for a one-time password to reset a forgotten password",
          description: "The answer is the same whether anybody has the address or not.",
          operationId: "sendPasswordOtp",
        },
      },
    )
    .post(
      "/password/reset",
      async ({ body: { otp, new_password, ...body }, request, status, fail }) => {
        refuseCommonPassword(new_password, "/new_password");
        const email = body.email.toLowerCase();
        const user = await queries.judgeReset(email, otp);
        if (!user) return fail("invalid_otp");
        // Whose name that is, only who has the one-time password may learn.
        refuseNameInPassword(new_password, user.username, "/new_password");
        const newHash = await hasher.hash(new_password, networkOf(exchangeOf(request).ip));
        return (await queries.reset(user, email, otp, newHash))
          ? status(204, undefined)
          : fail("invalid_otp");
      },
      {
        parse: "strict",
        body: PasswordReset(config.passwordMinLength),
        response: {
          204: NoContent,
          ...problems(...bodyProblems, "invalid_otp", "validation_failed", "weak_password"),
        },
        detail: {
          summary: "Reset the password",
          description: "Every session ends, and a locked account is open again.",
          operationId: "resetPassword",
        },
      },
    );
}
