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
  return {
    async send(mail) {
      const response = await fetch(endpoint, {
        method: "POST",
        headers: { ...headers(key), "content-type": "application/json" },
        body: JSON.stringify(body(from, mail)),
        // Followed, a redirect would carry the key to another host. workerd knows no "error" here.
        redirect: "manual",
        signal: AbortSignal.timeout(SEND_TIMEOUT),
      }).catch(refuseUnreachable);
      // Read in any case, or the connection could not be used again.
      const answer: unknown = await response.json().catch(() => undefined);
      if (response.ok) return;
      const properties: Partial<SendError> = {
        code: "EMAILSERVICE",
        responseCode: response.status,
        permanent: isPermanent(response.status, answer),
      };
      throw Object.assign(new Error("The mail service refused the mail"), properties);
    },
    close() {},
  };
}

function refuseUnreachable(cause: unknown): never {
  const isTimeout = cause instanceof Error && cause.name === "TimeoutError";
  const code = isTimeout ? "ETIMEDOUT" : "ECONNECTION";
  throw Object.assign(new Error("The mail service did not answer", { cause }), { code });
}

const memberOf = (answer: unknown, name: string): unknown =>
  typeof answer === "object" && answer !== null ? Reflect.get(answer, name) : undefined;

const nameOf = (answer: unknown) => memberOf(answer, "name");
