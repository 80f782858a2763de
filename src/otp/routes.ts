/** One-time passwords by mail: to verify an address, and to reset a forgotten password. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import { refuseCommonPassword, refuseNameInPassword } from "../auth/password-policy.ts";
import { logSecurityEvent } from "../auth/security-log.ts";
import { networkOf } from "../http/client-ip.ts";
import { exchangeOf } from "../http/exchange.ts";
import { bodyProblems, problems } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import { languageFor } from "../mail/language.ts";
import { User } from "../model/user.ts";
import { NoContent } from "../model/values.ts";
import type { Services } from "../services.ts";
import { EmailOtpRequest, OtpSent, OtpVerify, PasswordOtpRequest, PasswordReset } from "./model.ts";

export function otpRoutes(services: Services) {
  const { config, hasher, outbox, enqueue, confirmation, verification, reset } = services;

  return new Elysia({ prefix: "/users", tags: ["One-time passwords"] })
    .use(strict)
    .use(guard(services))
    .post(
      "/email/otp",
      async ({ session, body: { email, password }, request, status, fail }) => {
        const exchange = exchangeOf(request);
        const record =
          password === undefined ? undefined : await confirmation.record(session, exchange);
        if (record && !(await confirmation.isRight(password ?? "", record, session, exchange))) {
          return fail("wrong_password");
        }
        const wanted = { email: email.toLowerCase(), language: languageFor(request), exchange };
        const sent = await verification.send(session, wanted, record?.password_hash);
        outbox.wake(enqueue.delay());
        return status(202, sent);
      },
      {
        auth: true,
        parse: "strict",
        body: EmailOtpRequest,
        response: {
          202: OtpSent,
          ...problems(
            ...bodyProblems,
            "password_required",
            "wrong_password",
            "validation_failed",
            "too_many_attempts",
            "rate_limited",
            "otp_cooldown",
          ),
        },
        detail: {
          summary: "Ask for a one-time password to verify an address",
          description:
            "To replace a verified address, send the `password` too. The mail is in Korean if " +
            "`Accept-Language` prefers it, else in English.",
          operationId: "sendEmailOtp",
        },
      },
    )
    .post(
      "/email/otp/verify",
      async ({ session, body, request, fail }) => {
        const exchange = exchangeOf(request);
        const language = languageFor(request);
        const user = await verification.verify(session, body.otp, language, exchange);
        if (!user) return fail("invalid_otp");
        logSecurityEvent("email_changed", exchange, user.id);
        // The address that was replaced gets a mail.
        outbox.wake(enqueue.delay());
        return user;
      },
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
          description: "The address is then part of your account, and you can log in with it.",
          operationId: "verifyEmail",
        },
      },
    )
    .post(
      "/password/otp",
      async ({ body, request, status }) => {
        const email = body.email.toLowerCase();
        const sent = await reset.send(email, languageFor(request), exchangeOf(request));
        outbox.wake(enqueue.delay());
        return status(202, sent);
      },
      {
        parse: "strict",
        body: PasswordOtpRequest,
        response: {
          202: OtpSent,
          ...problems(...bodyProblems, "validation_failed", "rate_limited", "otp_cooldown"),
        },
        detail: {
          summary: "Ask for a code to reset a forgotten password",
          description:
            "The answer is the same whether anybody has the address or not. While three codes are valid, no other is sent.",
          operationId: "sendPasswordOtp",
        },
      },
    )
    .post(
      "/password/reset",
      async ({ body: { otp, new_password, ...body }, request, status, fail }) => {
        await refuseCommonPassword(new_password, "/new_password");
        const exchange = exchangeOf(request);
        const email = body.email.toLowerCase();
        const user = await reset.judge(email, otp, exchange);
        if (!user) return fail("invalid_otp");
        // Only a client that has the code may learn the name of the user.
        refuseNameInPassword(new_password, user.username, "/new_password");
        const newHash = await hasher.hash(new_password, { network: networkOf(exchange.ip) });
        const language = languageFor(request);
        if (!(await reset.apply(user, email, otp, newHash, language, exchange))) {
          return fail("invalid_otp");
        }
        logSecurityEvent("password_reset", exchange, user.id);
        outbox.wake(enqueue.delay());
        return status(204, undefined);
      },
      {
        parse: "strict",
        body: PasswordReset(config.passwordMinLength),
        response: {
          204: NoContent,
          ...problems(
            ...bodyProblems,
            "invalid_otp",
            "validation_failed",
            "weak_password",
            "too_many_attempts",
            "rate_limited",
          ),
        },
        detail: {
          summary: "Reset the password",
          description:
            "Every session and every other code ends, failed log-ins are forgotten, and the address gets a mail. A wrong code " +
            "only counts against the client that sent it.",
          operationId: "resetPassword",
        },
      },
    );
}
