/**
 * Signs and verifies access tokens (RFC 9068) and refresh tokens.
 * `@elysiajs/jwt` checks almost nothing by default. This file turns on every check, in one place.
 */
import { Elysia } from "elysia";
import type { Clock } from "../clock.ts";
import type { CurrentFirst, SigningKey } from "../keys.ts";
import { loadOnce } from "../load-once.ts";
import { toBase64url } from "../seal.ts";
import type { SessionRef } from "./live-session.ts";

export interface TokenOptions {
  /** Each key verifies, by HS256 (RFC 7518 §3.2). The current key also signs. */
  keys: CurrentFirst<SigningKey>;
  issuer: string;
  audience: string;
}

/** The claims of a refresh token: the session, and the generation for which the token is good. */
export interface RefreshToken {
  session_id: string;
  generation: number;
}

/** Seconds that another machine's clock may be ahead of this one's. */
const CLOCK_SKEW = 60;
/** The number of verified access tokens that are kept, about 500 bytes each. */
const VERIFIED = 5000;

/** What jose checks in a token. */
interface Expectations {
  algorithms: string[];
  issuer: string;
  audience: string;
  typ: string;
  requiredClaims: string[];
  currentDate: Date;
}

/** What is kept of an access token until `exp`, in seconds since the epoch. */
interface Verified {
  session: SessionRef;
  exp: number;
}

export type TokenSigner = ReturnType<typeof createTokenSigner>;

export function createTokenSigner(options: TokenOptions, clock: Clock) {
  const [current, ...previous] = options.keys;
  /** Loaded for the first token. The current key's signers come first. */
  const signers = loadOnce(async () => {
    const { jwt } = await import("@elysiajs/jwt");
    const signersBy = ({ id, key }: SigningKey) => {
      const { issuer: iss, audience: aud } = options;
      const shared = { secret: key, alg: "HS256", kid: id, iss, aud } as const;
      // The plugin decorates an Elysia instance. Only its two signers are used here.
      const { access, refresh } = new Elysia()
        .use(jwt({ ...shared, name: "access", typ: "at+jwt" }))
        // No `iat`: a refresh token that is sent twice within the leeway must get the same successor, byte for byte.
        .use(jwt({ ...shared, name: "refresh", typ: "rt+jwt", iat: false })).decorator;
      return { id, access, refresh };
    };
    return [signersBy(current), ...previous.map(signersBy)] as const;
  });

  /** The claims of a token that passes all checks and was signed by the key that it names. */
  async function claimsOf(token: string, kind: "access" | "refresh", expected: Expectations) {
    const kid = keyIdOf(token);
    for (const each of await signers()) {
      // Version 0.1 wrote no `kid`.
      if (kid !== undefined && kid !== each.id) continue;
      const claims = await each[kind].verify(token, expected);
      if (claims) return claims;
    }
    return undefined;
  }

  const expectations = (typ: string, requiredClaims: string[]): Expectations => ({
    algorithms: ["HS256"],
    issuer: options.issuer,
    audience: options.audience,
    typ,
    requiredClaims: ["exp", ...requiredClaims],
    currentDate: new Date(clock()),
  });

  const verified = new Map<string, Verified>();

  /** @param now seconds since the epoch */
  async function verify(token: string, now: number): Promise<Verified | undefined> {
    if (!isCanonical(token)) return undefined;
    const expected = expectations("at+jwt", ["iat", "sub", "sid", "jti"]);
    const claims = await claimsOf(token, "access", expected);
    if (!claims) return undefined;
    const { iat, exp, sub, sid } = claims;
    if (typeof iat !== "number" || iat > now + CLOCK_SKEW) return undefined;
    if (typeof exp !== "number") return undefined;
    if (typeof sub !== "string" || !/^[1-9]\d{0,15}$/.test(sub)) return undefined;
    const user_id = Number(sub);
    if (!Number.isSafeInteger(user_id) || !isSessionId(sid)) return undefined;
    return { session: { id: sid, user_id }, exp };
  }

  return {
    /** @param ttl seconds; the plugin sets `iat` by the system's clock */
    async signAccess(session: SessionRef, ttl: number): Promise<string> {
      const [{ access }] = await signers();
      return access.sign({
        sub: String(session.user_id),
        sid: session.id,
        jti: crypto.randomUUID(),
        exp: Math.floor(clock() / 1000) + ttl,
      });
    },

    /**
     * The session that a correctly signed, unexpired access token names; undefined for any other string. Whether the
     * session is live is for the statement to decide. So a token is verified once, and the result is kept until the
     * token expires.
     */
    async verifyAccess(token: string): Promise<SessionRef | undefined> {
      const now = Math.floor(clock() / 1000);
      const known = verified.get(token);
      if (known && now < known.exp) return known.session;
      const verdict = await verify(token, now);
      if (verdict) verified.set(token, verdict);
      else verified.delete(token);
      // A Map keeps the order of insertion.
      const [oldest] = verified.size > VERIFIED ? verified.keys() : [];
      if (oldest !== undefined) verified.delete(oldest);
      return verdict?.session;
    },

    /** When an access token that has been verified expires, in milliseconds since the epoch. */
    expiryOf(token: string): number {
      const [, claims = ""] = token.split(".");
      const bytes = Uint8Array.fromBase64(claims, { alphabet: "base64url" });
      return JSON.parse(new TextDecoder().decode(bytes)).exp * 1000;
    },

    /** The one refresh token of a session's generation. It is the same string each time it is signed. */
    async signRefresh(token: RefreshToken, expires_at: string): Promise<string> {
      const [{ refresh }] = await signers();
      return refresh.sign({
        sid: token.session_id,
        gen: token.generation,
        exp: Math.floor(Date.parse(expires_at) / 1000),
      });
    },

    async verifyRefresh(token: string): Promise<RefreshToken | undefined> {
      if (!isCanonical(token)) return undefined;
      const claims = await claimsOf(token, "refresh", expectations("rt+jwt", ["sid", "gen"]));
      if (!claims) return undefined;
      const { sid, gen } = claims;
      if (!isSessionId(sid) || !Number.isSafeInteger(gen)) return undefined;
      return { session_id: sid, generation: Number(gen) };
    },
  };
}

const isSessionId = (sid: unknown): sid is string =>
  typeof sid === "string" && /^[\w-]{1,64}$/.test(sid);

/** The `kid` in the token's header; undefined for a token without one. */
function keyIdOf(token: string): string | undefined {
  const [header = ""] = token.split(".");
  try {
    const bytes = Uint8Array.fromBase64(header, { alphabet: "base64url" });
    const { kid } = JSON.parse(new TextDecoder().decode(bytes));
    return typeof kid === "string" ? kid : undefined;
  } catch {
    // Not a JWT. It is refused when it is verified.
    return undefined;
  }
}

/**
 * Whether it is canonical base64url (RFC 7515 §2): without padding and spare bits. jose accepts other spellings too.
 */
function isCanonical(token: string): boolean {
  return token.split(".").every((part) => {
    if (!/^[\w-]+$/.test(part) || part.length % 4 === 1) return false;
    return toBase64url(Uint8Array.fromBase64(part, { alphabet: "base64url" })) === part;
  });
}
