/** Sends mails through a mail service over HTTPS, for runtimes and hosts that do not allow SMTP. */
import { type Mail, SEND_TIMEOUT, type SendError, type Transport } from "./transport.ts";

/** The differences between mail services. */
interface MailService {
  endpoint: string;
  headers(key: string): Record<string, string>;
  body(from: string, mail: Mail): object;
  /** Whether an answer means that this mail will never be accepted, however often it is sent. */
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
    // The operator has to fix the sender's domain, the key or the quota. Until then the mail waits.
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
    // 300: the address cannot receive mails. 406: the address has bounced or complained before.
    isPermanent: (status, answer) =>
      status === 422 && [300, 406].includes(Number(memberOf(answer, "ErrorCode"))),
  },
};

/**
 * @param url `resend://KEY` or `postmark://KEY`. `?endpoint=` names another URL than that of the mail service, for
 *   example the URL of a proxy.
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
      // If the redirect were followed, the key would go to another host. workerd does not support "error" here.
      redirect: "manual",
      signal: AbortSignal.timeout(SEND_TIMEOUT),
    }).catch(refuseUnreachable);
    // The body is always read, because otherwise the connection could not be used again.
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
      // An empty mail is refused for its missing fields, but only after the key was accepted.
      const { status, answer } = await post({});
      if (isAboutService(status) || status >= 500) throw refusal(status, answer);
    },
    close() {},
  };
}

/** The key is wrong, or it must not send. Both services show this only in the status. */
const isAboutService = (status: number) => status === 401 || status === 403;

function refuseUnreachable(cause: unknown): never {
  const isTimeout = cause instanceof Error && cause.name === "TimeoutError";
  const code = isTimeout ? "ETIMEDOUT" : "ECONNECTION";
  throw Object.assign(new Error("The mail service did not answer", { cause }), { code });
}

const memberOf = (answer: unknown, name: string): unknown =>
  typeof answer === "object" && answer !== null ? Reflect.get(answer, name) : undefined;

const nameOf = (answer: unknown) => memberOf(answer, "name");
