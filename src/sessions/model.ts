/** The input and output of log-in, refresh, `/token` and the list of sessions. */
import { t } from "elysia";
import { Text } from "../model/text.ts";
import { noStore, REFRESH_TOKEN } from "../model/tokens.ts";
import { Password } from "../model/user.ts";
import { Instant } from "../model/values.ts";

export const SessionCreate = t.Object(
  {
    username: Text({
      description:
        "1 to 254 characters; no control characters. The user name or a verified e-mail address, in any case.",
      minLength: 1,
      maxLength: 254,
      examples: ["mina"],
    }),
    password: Password,
  },
  { title: "SessionCreate", additionalProperties: false },
);

export const SessionRefresh = t.Object(
  {
    refresh_token: Text({
      description: "1 to 4096 characters; no control characters. The refresh token last received.",
      minLength: 1,
      maxLength: 4096,
      examples: [REFRESH_TOKEN],
    }),
  },
  { title: "SessionRefresh", additionalProperties: false },
);

export const Session = t.Object(
  {
    id: t.String({ description: "Names the session.", examples: ["pCkQ2vYtq0W8hQyqv1mUXA"] }),
    created_at: Instant("When the log-in was, in UTC (RFC 3339)."),
    last_used_at: Instant("When it last issued tokens, in UTC (RFC 3339)."),
    expires_at: Instant("When it ends by itself, in UTC (RFC 3339).", "2026-12-20T10:00:00.000Z"),
    user_agent: t.Nullable(
      t.String({
        description: "The `User-Agent` of the client that logged in.",
        examples: ["curl/8.5.0"],
      }),
    ),
    ip: t.Nullable(
      t.String({ description: "The address that it logged in from.", examples: ["203.0.113.7"] }),
    ),
    current: t.Boolean({
      description: "Whether it is the session of this request.",
      examples: [true],
    }),
  },
  { title: "Session", description: "A session, which a log-in has begun." },
);

export const Sessions = t.Object(
  { sessions: t.Array(Session, { description: "Newest first." }) },
  { title: "Sessions", description: "The live sessions, newest first." },
);

/** The form that `/token` accepts. Unknown fields are ignored (RFC 6749 §3.2). */
export const TokenRequest = t.Object(
  {
    grant_type: t.Optional(
      t.Union([t.Literal("password"), t.Literal("refresh_token")], {
        description: "password, by default.",
        examples: ["password"],
      }),
    ),
    username: t.Optional({
      ...SessionCreate.properties.username,
      description: "With the password grant: the user name or a verified e-mail address.",
    }),
    password: t.Optional({
      ...SessionCreate.properties.password,
      description: "With the password grant: the password.",
    }),
    refresh_token: t.Optional({
      ...SessionRefresh.properties.refresh_token,
      description: "With the refresh token grant: the refresh token last received.",
    }),
  },
  { title: "TokenRequest" },
);

/**
 * RFC 6749 §5.2, with the codes of this response.
 * @param descriptions an example for each code
 */
export function OAuthError<E extends string>(descriptions: Record<E, string>) {
  const errors = Object.keys(descriptions);
  const examples = Object.entries<string>(descriptions).map(([error, error_description]) => ({
    error,
    error_description,
  }));
  return t.Object(
    {
      // A union of a mapped array has no type of its own.
      error: t.Unsafe<E>(
        t.Union(
          errors.map((error) => t.Literal(error)),
          { description: "What went wrong, for a program.", examples: errors },
        ),
      ),
      error_description: t.String({
        description: "What went wrong, for a person.",
        examples: Object.values(descriptions),
      }),
    },
    {
      title: "OAuthError",
      description: Object.values(descriptions).join(" Or: "),
      examples,
      headers: { "Cache-Control": noStore },
    },
  );
}

/**
 * Reads a path's `:id`. Text that cannot be a session's id gives "". No row has this id, so the answer is the same 404.
 */
export const toSessionId = (segment: string) => (/^[\w-]{22}$/.test(segment) ? segment : "");
