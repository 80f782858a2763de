/** What the OpenAPI document says before it comes to the operations: the walk, and the groups in their order. */
import packageJson from "../../package.json" with { type: "json" };

const walk = `Sign up, log in, and keep todos. Here is a walk of five minutes; the examples are filled in already, so that **Execute** is enough.

1. **Sign up**: \`POST /users/sign-up\`. The \`email\` may be left out, or be yours.
2. **Log in**: on this page by **Authorize**, with the user name and the password that you signed up with; from then on it sends your access token. A program calls \`POST /users/log-in\` and sends \`Authorization: Bearer …\`.
3. **Keep todos**: add some by \`POST /todos\`, list them by \`GET /todos\`, tick one off by \`PATCH /todos/{id}\`, and drop one by \`DELETE /todos/{id}\`.
4. **Verify your e-mail address**: the mail that came for the \`email\` of your sign-up has six digits (a service without a mail server prints its mails where it runs); send them by \`POST /users/email/otp/verify\`. \`POST /users/email/otp\` asks for new ones. With a verified address you may log in too, and reset a forgotten password: \`POST /users/password/otp\`, then \`POST /users/password/reset\`.
5. **Stay, or leave**: an access token is good for \`expires_in\` seconds, and \`POST /users/refresh\` gives the next. \`POST /users/log-out\` ends the session: its tokens are refused from the very next request.

Every error is a problem ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)), but for those of \`POST /token\`: its \`code\` is for programs, its \`detail\` for people, and its \`instance\` is the id under which the log has it.`;

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
