/** What goes into and comes out of the routes for one-time passwords. */
import { t } from "elysia";
import { Email } from "../model/email.ts";
import { Text } from "../model/text.ts";
import { NEXT_PASSWORD, NewPassword } from "../model/user.ts";
import { Integer } from "../model/values.ts";

const Otp = Text({
  description: "The six digits from the mail.",
  minLength: 1,
  maxLength: 32,
  examples: ["123456"],
});

export const OtpRequest = t.Object(
  { email: Email },
  { title: "OtpRequest", additionalProperties: false },
);

export const OtpSent = t.Object(
  {
    expires_in: Integer({
      description: "Seconds for which the one-time password is good.",
      examples: [180],
    }),
    resend_after: Integer({
      description: "Seconds after which another may be asked for.",
      examples: [60],
    }),
  },
  { title: "OtpSent", description: "A mail is on its way." },
);

export const OtpVerify = t.Object(
  { otp: Otp },
  { title: "OtpVerify", additionalProperties: false },
);

/** @param minLength of the new password, in code points */
export const PasswordReset = (minLength: number) =>
  t.Object(
    { email: Email, otp: Otp, new_password: NewPassword(minLength, NEXT_PASSWORD) },
    { title: "PasswordReset", additionalProperties: false },
  );
