/** The user, and the values that several features share: names and passwords. */
import { t } from "elysia";
import { Text } from "./text.ts";
import { Id, Instant } from "./values.ts";

export const Username = Text({
  description:
    "3 to 32 of A-Z a-z 0-9 . _ - and first a letter or digit; unique whatever the case.",
  minLength: 3,
  maxLength: 32,
  pattern: "^[A-Za-z0-9][A-Za-z0-9._\\-]*$",
  examples: ["mina"],
});

/** A password to compare with a stored one. It may be short, because the minimum may have changed since. */
export const Password = Text({
  description: "1 to 256 characters; no control characters.",
  minLength: 1,
  maxLength: 256,
  format: "password",
  examples: ["correct horse battery"],
});

/** @param minLength code points */
export const NewPassword = (minLength: number, example = "correct horse battery") =>
  Text({
    description:
      `${minLength} to 256 characters; no control characters, not a common password, ` +
      "and without the user name in it.",
    minLength,
    maxLength: 256,
    format: "password",
    examples: [example],
  });

/** The new password in examples of a password change. */
export const NEXT_PASSWORD = "quiet river lantern";

export const User = t.Object(
  {
    id: Id,
    username: t.String({
      description: "The user name, as it was typed at sign-up.",
      examples: ["mina"],
    }),
    email: t.Nullable(
      t.String({
        format: "email",
        description: "The verified e-mail address, if there is one.",
        examples: ["mina@example.com"],
      }),
    ),
    created_at: Instant("When the user signed up, in UTC (RFC 3339)."),
  },
  { title: "User", description: "The user." },
);
