/** Sends mails to an SMTP server. */
import { createTransport } from "nodemailer";
import type { SMTPTransportGetSocket } from "nodemailer/lib/smtp-transport";
import { CONCURRENCY, SEND_TIMEOUT, type SendError, type Transport } from "./transport.ts";

/**
 * Milliseconds. A server may check a mail for spam before it answers. If the service gives up too early, the mail is
 * sent twice. So `socketTimeout`, the limit for silence, is the longest. SEND_TIMEOUT limits all of them together.
 */
const TIMEOUTS = {
  dnsTimeout: 10_000,
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 20_000,
};

const POOL = {
  pool: true,
  maxConnections: CONCURRENCY,
  // A connection may have been idle for long. If it is dead, the mail gets another connection. Any further retry is the
  // work of the outbox.
  maxRequeues: 1,
  idleTimeout: 30_000,
};

/** Hosts on this machine. Mails to them do not cross a network. */
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/i;

/**
 * Whether a mail may only be sent after STARTTLS, when the URL does not say so. Without this rule, an attacker on the
 * network could remove STARTTLS from the server's greeting, and read the credentials and one-time passwords (RFC 8314
 * §3).
 */
function needsStartTls(url: string): boolean {
  const { protocol, hostname, searchParams } = new URL(url);
  return protocol === "smtp:" && !searchParams.has("requireTLS") && !LOOPBACK.test(hostname);
}

/** Throws the error, and says whether it is about this service and not about one mail. */
function judge(error: SendError & { command?: string }): never {
  const { code = "", command, permanent } = error;
  error.refusesService =
    // There is no TLS, or the credentials are wrong or missing.
    ["ETLS", "EAUTH", "ENOAUTH"].includes(code) ||
    // The server does not accept mails from this sender, or not without credentials.
    (command === "MAIL FROM" && permanent === true);
  // The mail itself may be sent later.
  if (error.refusesService) error.permanent = false;
  throw error;
}

export interface SmtpOptions {
  /** Whether connections are kept for further mails (true). */
  pooled?: boolean;
  /** Opens a connection on runtimes where nodemailer's own code for this does not work. */
  getSocket?: SMTPTransportGetSocket;
}

/**
 * @param url `smtp://user:password@host:port`, with STARTTLS, or `smtps://…`, with TLS from the start. Its query may
 *   hold nodemailer's options (https://nodemailer.com/smtp), which replace those here: `requireTLS=false` accepts a
 *   server without STARTTLS (on loopback this is the default), `tls.ca=…` trusts your own certificate,
 *   `tls.rejectUnauthorized=false` trusts any certificate, `socketTimeout=…` and similar options change the time
 *   limits.
 * @param from see `openTransport`
 */
export function openSmtp(
  url: string,
  from: string,
  { pooled = true, getSocket }: SmtpOptions = {},
): Transport {
  const mailer = createTransport({
    url,
    ...(needsStartTls(url) && { requireTLS: true }),
    ...(pooled && POOL),
    ...(getSocket && { getSocket }),
    ...TIMEOUTS,
    maxRecipients: 1,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send({ to, subject, text, html }) {
      const sending = mailer.sendMail({
        from,
        // As a string it would be parsed, and the result might be several addresses.
        to: { name: "", address: to },
        subject,
        text,
        html,
        // RFC 3834 §5: no "out of office" in reply.
        headers: { "Auto-Submitted": "auto-generated" },
        // The other time limits start again with every byte from the server. This one does not.
        signal: AbortSignal.timeout(SEND_TIMEOUT),
      });
      await sending.catch(judge);
    },
    async check() {
      await mailer.verify().catch(judge);
    },
    close: () => mailer.close(),
  };
}
