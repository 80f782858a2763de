/** The input and output of `/users`. */
import { t } from "elysia";
import { Email } from "../model/email.ts";
import { NEXT_PASSWORD, NewPassword, Password, User, Username } from "../model/user.ts";

export const UserCreate = (minLength: number) =>
  t.Object(
    { username: Username, password: NewPassword(minLength), email: t.Optional(Email) },
    { title: "UserCreate", additionalProperties: false },
  );

const { id, username } = User.properties;
export const CreatedUser = t.Object({ id, username }, { title: "CreatedUser" });

export const PasswordUpdate = (minLength: number) =>
  t.Object(
    { current_password: Password, new_password: NewPassword(minLength, NEXT_PASSWORD) },
    { title: "PasswordUpdate", additionalProperties: false },
  );

export const UserDelete = t.Object(
  { password: Password },
  { title: "UserDelete", additionalProperties: false },
);
