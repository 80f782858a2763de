/** The page for a user who is not logged in: log-in and sign-up. */
import type { TargetedSubmitEvent } from "preact";
import { useState } from "preact/hooks";
import { client } from "./data.ts";

/** The error message, and the fields that it is about. */
interface Failure {
  message: string;
  fields: Record<string, string>;
}

export function LogIn() {
  const [isNew, setNew] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();

  async function submit(event: TargetedSubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = new FormData(form);
    const [username, password] = [String(fields.get("username")), String(fields.get("password"))];
    setBusy(true);
    setFailure(await enter({ username, password }, isNew));
    setBusy(false);
    // Moves the focus to the first invalid field, after the fields were marked.
    requestAnimationFrame(() => form.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  }

  return (
    <main class="welcome">
      <img src="/icon.svg" alt="" width="48" height="48" />
      <h1>Todos</h1>
      <p>
        {isNew ? "Choose a name and a password." : "Your lists, on all your devices, also offline."}
      </p>
      <form onSubmit={submit}>
        <Field
          label="User name"
          name="username"
          autocomplete="username"
          error={failure?.fields.username}
        />
        <Field
          label="Password"
          name="password"
          isSecret
          autocomplete={isNew ? "new-password" : "current-password"}
          error={failure?.fields.password}
        />
        <p class="failure" role="alert">
          {failure?.message}
        </p>
        <button type="submit" class="primary" disabled={isBusy}>
          {isNew ? "Sign up" : "Log in"}
        </button>
        <button
          type="button"
          class="quiet"
          onClick={() => {
            setNew(!isNew);
            setFailure(undefined);
          }}
        >
          {isNew ? "I have an account" : "Create an account"}
        </button>
      </form>
    </main>
  );
}

/** @returns the error, if there is one. After a log-in the page changes by itself */
async function enter(
  json: { username: string; password: string },
  isNew: boolean,
): Promise<Failure | undefined> {
  try {
    const signUp = isNew ? await client.users["sign-up"].post(json) : undefined;
    const error = signUp?.error ?? (await client.users["log-in"].post(json)).error;
    if (!error) return undefined;
    const problems = ("errors" in error.value && error.value.errors) || [];
    // A pointer is a slash and the name of the field.
    const fields = problems.map((each) => [
      "pointer" in each && each.pointer.slice(1),
      each.detail,
    ]);
    return {
      message: fields.length > 0 ? "" : error.message,
      fields: Object.fromEntries(fields),
    };
  } catch {
    return { message: "The service cannot be reached. Are you online?", fields: {} };
  }
}

interface FieldProps {
  label: string;
  name: string;
  isSecret?: boolean;
  autocomplete: string;
  error: string | undefined;
}

function Field({ label, name, isSecret, autocomplete, error }: FieldProps) {
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        name={name}
        // The types know no input that may be one or the other.
        {...(isSecret ? { type: "password" } : {})}
        autocomplete={autocomplete}
        required
        autocapitalize="none"
        spellcheck={false}
        aria-invalid={error !== undefined}
        aria-describedby={`${name}-error`}
      />
      <p id={`${name}-error`} class="failure">
        {error}
      </p>
    </div>
  );
}
