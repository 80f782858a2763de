/** The introduction of the OpenAPI document: a walk through the API, and the groups of operations in their order. */
import packageJson from "../../package.json" with { type: "json" };
import { anywhere, catalogue } from "../http/problem.ts";

const commonErrors = anywhere
  .map((code) => `- **${catalogue[code][0]}** \`${code}\`: ${catalogue[code][1]}`)
  .join("\n");

const walk = `Sign up, log in, and keep todos. This walk takes five minutes. Every example is filled in already, so press **Execute** and go on.

1. **Sign up**: \`POST /users/sign-up\`. You may leave out the \`email\`, or put in your own.
2. **Log in**: press **Authorize** on this page, and type the user name and the password that you signed up with. The page then sends your access token with every request. A program calls \`POST /users/log-in\` and sends \`Authorization: Bearer …\`.
3. **Keep todos**: add some with \`POST /todos\`, list them with \`GET /todos\`, tick one off with \`PATCH /todos/{id}\`, and delete one with \`DELETE /todos/{id}\`.
4. **Verify your e-mail address**: the mail that your sign-up sent to \`email\` has six digits. (A service without a mail server prints its mails where it runs.) Send the digits with \`POST /users/email/otp/verify\`, or ask for new ones with \`POST /users/email/otp\`. A verified address can log in as the user name can, and it can reset a forgotten password: \`POST /users/password/otp\` sends a code for \`POST /users/password/reset\`.
5. **Stay, or leave**: an access token is good for \`expires_in\` seconds, and \`POST /users/refresh\` gives the next one. \`POST /users/log-out\` ends the session: its tokens are refused from the very next request.

Every error is a problem ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)), except those of \`POST /token\`. Its \`code\` is for programs, its \`detail\` is for people, and its \`instance\` is the id under which the log has the request. Each operation names its own errors. Any operation may also answer:

${commonErrors}`;

export const introduction = {
  openapi: "3.1.0",
  info: {
    title: "Todos",
    version: packageJson.version,
    description: walk,
    license: { name: "MIT", identifier: "MIT" },
  },
  servers: [{ url: "/", description: "This server" }],
  tags: [
    { name: "Users", description: "Signing up, and what you may do about yourself." },
    { name: "Sessions", description: "Logging in, staying logged in, and logging out." },
    { name: "One-time passwords", description: "Verifying an address, and a forgotten password." },
    { name: "Todos", description: "Your todos, and nobody else's." },
    { name: "Lists", description: "Your lists, into which todos can be put." },
    { name: "Trash", description: "What you have deleted, for a while." },
    { name: "Health", description: "For people, supervisors and load balancers." },
  ],
};
