/** What goes into and comes out of `/users`. */
import { t } from "elysia";
import { Email, NEXT_PASSWORD, NewPassword, Password, Username } from "../model/user.ts";
import { Id } from "../model/values.ts";

export const NewUser = (minLength: number) =>
  t.Object(
    { username: Username, password: NewPassword(minLength), email: t.Optional(Email) },
    { title: "NewUser", additionalProperties: false },
  );

export const CreatedUser = t.Object({ id: Id, username: Username }, { title: "CreatedUser" });

export const PasswordChange = (minLength: number) =>
  t.Object(
    { current_password: Password, new_password: NewPassword(minLength, NEXT_PASSWORD) },
    { title: "PasswordChange", additionalProperties: false },
  );

export const PasswordConfirmation = t.Object(
  { password: Password },
  { title: "PasswordConfirmation", additionalProperties: false },
);
