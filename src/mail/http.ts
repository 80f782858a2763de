/** Hands mails to a mail service over HTTPS, for runtimes and hosts that allow no SMTP. */
import { type Mail, SEND_TIMEOUT, type SendError, type Transport } from "./transport.ts";

/** What is different from one mail service to the next. */
interface MailService {
  endpoint: string;
  headers(key: string): Record<string, string>;
  body(from: string, mail: Mail): object;
  /** Whether an answer means that this mail will never be taken, however often it is sent. */
  isPermanent(status: number, answer: unknown): boolean;
}

/** RFC 3834 §5: no "out of office" in reply. */
const AUTO_SUBMITTED = ["Auto-Submitted", "auto-generated"] as const;

const services: Record<string, MailService> = {
  // https://resend.com/docs/api-reference/emails/send-email
  "resend:": {
    endpoint: "https://api.resend.com/emails",
    headers: (key) => ({ authorization: `Bearer ${key}` }),
    body: (from, { to, subject, text, html }) => ({
      from,
      to: [to],
      subject,
      text,
      html,
      headers: Object.fromEntries([AUTO_SUBMITTED]),
    }),
    // The sender's domain, the key and the quota are the operator's to mend: then the mail waits.
    isPermanent: (status, answer) => status === 422 && nameOf(answer) === "validation_error",
  },
  // https://postmarkapp.com/developer/api/email-api
  "postmark:": {
    endpoint: "https://api.postmarkapp.com/email",
    headers: (key) => ({ "x-postmark-server-token": key, accept: "application/json" }),
    body: (from, { to, subject, text, html }) => ({
      From: from,
      To: to,
      Subject: subject,
      TextBody: text,
      HtmlBody: html,
      MessageStream: "outbound",
      TrackOpens: false,
      Headers: [{ Name: AUTO_SUBMITTED[0], Value: AUTO_SUBMITTED[1] }],
    }),
    // 300: not an address that can be sent to. 406: an address that bounced or complained before.
    isPermanent: (status, answer) =>
      status === 422 && [300, 406].includes(Number(memberOf(answer, "ErrorCode"))),
  },
};

/**
 * @param url `resend://KEY` or `postmark://KEY`. `?endpoint=` sends to another URL than the service's own, such as a
 *   proxy's.
 * @param from the sender: an address, or a name and an address in angle brackets
 */
export function openMailService(url: string, from: string): Transport {
  const { protocol, host: key, searchParams } = new URL(url);
  const service = services[protocol];
  if (!service) throw new Error(`No mail service is called ${protocol}`);
  const { headers, body, isPermanent } = service;
  const endpoint = searchParams.get("endpoint") ?? service.endpoint;
  async function post(content: object) {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: { ...headers(key), "content-type": "application/json" },
      body: JSON.stringify(content),
      // Followed, a redirect would carry the key to another host. workerd knows no "error" here.
      redirect: "manual",
      signal: AbortSignal.timeout(SEND_TIMEOUT),
    }).catch(refuseUnreachable);
    // Read in any case, or the connection could not be used again.
    const answer: unknown = await response.json().catch(() => undefined);
    return { status: response.status, isTaken: response.ok, answer };
  }
  function refusal(status: number, answer: unknown) {
    const properties: Partial<SendError> = {
      code: "EMAILSERVICE",
      responseCode: status,
      permanent: isPermanent(status, answer),
      refusesService: isAboutService(status),
    };
    return Object.assign(new Error("The mail service refused the mail"), properties);
  }
  return {
    async send(mail) {
      const { status, isTaken, answer } = await post(body(from, mail));
      if (!isTaken) throw refusal(status, answer);
    },
    async check() {
      // A mail without anything in it is refused for what it lacks, but only once the key has been taken.
      const { status, answer } = await post({});
      if (isAboutService(status) || status >= 500) throw refusal(status, answer);
    },
    close() {},
  };
}

/** The key is wrong, or must not send: both services say so by the status alone. */
const isAboutService = (status: number) => status === 401 || status === 403;

function refuseUnreachable(cause: unknown): never {
  const isTimeout = cause instanceof Error && cause.name === "TimeoutError";
  const code = isTimeout ? "ETIMEDOUT" : "ECONNECTION";
  throw Object.assign(new Error("The mail service did not answer", { cause }), { code });
}

const memberOf = (answer: unknown, name: string): unknown =>
  typeof answer === "object" && answer !== null ? Reflect.get(answer, name) : undefined;

const nameOf = (answer: unknown) => memberOf(answer, "name");
