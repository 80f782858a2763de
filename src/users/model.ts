/** What goes into and comes out of `/users`. */
import { t } from "elysia";
import { Text } from "../http/text.ts";
import { Id, Instant } from "../http/values.ts";

export const Username = Text({
  description:
    "3 to 32 of A-Z a-z 0-9 . _ - and first a letter or digit; unique whatever the case.",
  minLength: 3,
  maxLength: 32,
  pattern: "^[A-Za-z0-9][A-Za-z0-9._\\-]*$",
  examples: ["mina"],
});

/** A password that is compared with a stored one: of any length, for the rule may have changed since. */
export const Password = Text({
  description: "1 to 256 characters.",
  minLength: 1,
  maxLength: 256,
  format: "password",
  examples: ["correct horse battery"],
});

/** @param minLength code points */
export const NewPassword = (minLength: number) =>
  Text({
    description: `${minLength} to 256 characters, not a common password, and without the user name in it.`,
    minLength,
    maxLength: 256,
    format: "password",
    examples: ["correct horse battery"],
  });

export const NewUser = (minLength: number) =>
  t.Object(
    { username: Username, password: NewPassword(minLength) },
    { title: "NewUser", additionalProperties: false },
  );

export const CreatedUser = t.Object(
  { id: Id, username: Username },
  { title: "CreatedUser", description: "The user was created." },
);

export const User = t.Object(
  {
    id: Id,
    username: Username,
    email: t.Nullable(
      t.String({
        format: "email",
        description: "The verified e-mail address, if there is one.",
        examples: ["mina@example.com"],
      }),
    ),
    created_at: Instant,
  },
  { title: "User", description: "The user." },
);

export const PasswordChange = (minLength: number) =>
  t.Object(
    { current_password: Password, new_password: NewPassword(minLength) },
    { title: "PasswordChange", additionalProperties: false },
  );

export const PasswordConfirmation = t.Object(
  { password: Password },
  { title: "PasswordConfirmation", additionalProperties: false },
);
