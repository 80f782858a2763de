/** What goes into and comes out of the routes for one-time passwords. */
import { t } from "elysia";
import { Email } from "../model/email.ts";
import { Text } from "../model/text.ts";
import { NEXT_PASSWORD, NewPassword, Password } from "../model/user.ts";
import { Integer } from "../model/values.ts";

const Digits = Text({
  description: "The six digits from the mail.",
  minLength: 1,
  maxLength: 32,
  examples: ["123456"],
});

const ResetCode = Text({
  description:
    "The code from the mail, in any case and with or without its hyphens; O is read as 0, and I and L as 1.",
  minLength: 1,
  maxLength: 32,
  examples: ["7ZK4Q-W9PJM-3XT"],
});

export const EmailOtpRequest = t.Object(
  { email: Email, password: t.Optional(Password) },
  { title: "EmailOtpRequest", additionalProperties: false },
);

export const PasswordOtpRequest = t.Object(
  { email: Email },
  { title: "PasswordOtpRequest", additionalProperties: false },
);

export const OtpSent = t.Object(
  {
    expires_in: Integer({
      description: "Seconds for which the one-time password is valid.",
      examples: [180],
    }),
    resend_after: Integer({
      description: "Seconds after which another one may be requested.",
      examples: [60],
    }),
  },
  {
    title: "OtpSent",
    description:
      "A mail is being sent. A code to reset a password is sent only if a user has the address.",
  },
);

export const OtpVerify = t.Object(
  { otp: Digits },
  { title: "OtpVerify", additionalProperties: false },
);

/** @param minLength of the new password, in code points */
export const PasswordReset = (minLength: number) =>
  t.Object(
    { email: Email, otp: ResetCode, new_password: NewPassword(minLength, NEXT_PASSWORD) },
    { title: "PasswordReset", additionalProperties: false },
  );
