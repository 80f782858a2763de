/** The tokens that let a client act as a user: for log-in, refresh, `/token` and a change of password. */
import { t } from "elysia";
import { header, Integer } from "./values.ts";

/** Examples, from a session that has ended. */
const ACCESS_TOKEN =
  "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9." +
  "eyJpc3MiOiJ0b2RvcyIsImF1ZCI6InRvZG9zIiwic3ViIjoiMSIsInNpZCI6InBDa1Eydll0cTBXOGhReXF2MW1VWEEi" +
  "LCJpYXQiOjE3OTUxNjg4MDAsImV4cCI6MTc5NTE3MDYwMCwianRpIjoiMjdiZTRkYjktNWJmYS00NTViLTg5YTItNzgy" +
  "NDM0YjMzMzgyIn0." +
  "t-er460w_vuN2B6QsW7nfY0DmgJxwssB26RmDLYIMcQ";
export const REFRESH_TOKEN =
  "eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9." +
  "eyJpc3MiOiJ0b2RvcyIsImF1ZCI6InRvZG9zIiwic2lkIjoicENrUTJ2WXRxMFc4aFF5cXYxbVVYQSIsImdlbiI6MSwi" +
  "ZXhwIjoxNzk3NzYwODAwfQ." +
  "MZ-XxhlHnAqjyjJ0PybwSFeFawZMdzyNU864P2Np07Y";

/** RFC 6749 §5.1: caches must not store tokens. */
export const tokenHeaders = { "cache-control": "no-store", pragma: "no-cache" };

export const noStore = header("Caches must not store the answer (RFC 6749 §5.1).", "no-store");

/** RFC 6749 §5.1. */
export const Tokens = t.Object(
  {
    access_token: t.String({
      description: "Sent as `Authorization: Bearer …`.",
      examples: [ACCESS_TOKEN],
    }),
    token_type: t.Literal("bearer", { description: "Always bearer.", examples: ["bearer"] }),
    expires_in: Integer({
      description: "Seconds for which the access token is valid.",
      examples: [1800],
    }),
    refresh_token: t.String({
      description: "Valid for one refresh.",
      examples: [REFRESH_TOKEN],
    }),
  },
  {
    title: "Tokens",
    description: "An access token and the refresh token to follow it.",
    headers: {
      "Cache-Control": noStore,
      Pragma: header("The same for HTTP/1.0.", "no-cache"),
    },
  },
);
export type Tokens = typeof Tokens.static;
