/** The types of a mail, and of what sends it. */

/** The content of a mail. */
export interface Message {
  subject: string;
  text: string;
  html: string;
}

export interface Mail extends Message {
  /** One plain address, already validated. */
  to: string;
}

export interface Transport {
  /**
   * Resolves once a mail server has taken the mail.
   * @throws SendError within SEND_TIMEOUT
   */
  send(mail: Mail): Promise<void>;
  /**
   * Resolves when the mail server can be reached and takes the credentials. Sends nothing.
   * @throws SendError
   */
  check(): Promise<void>;
  /** Closes connections that are kept open. */
  close(): void;
}

/** Do not log its message, which may repeat the address. These properties do not. */
export interface SendError extends Error {
  /** What kind of failure it is, such as ETIMEDOUT. */
  code?: string | undefined;
  /** What the runtime called the failure of a connection, such as ECONNREFUSED. */
  originalCode?: string | undefined;
  /** The server's answer (RFC 5321 §4.2). */
  responseCode?: number | undefined;
  /** Whether the server will never take this mail, however often it is sent. */
  permanent?: boolean | undefined;
  /** Whether it refuses this service and so would refuse any mail, until whoever runs the service has mended that. */
  refusesService?: boolean | undefined;
}

/** Most mails that a transport is given at once. */
export const CONCURRENCY = 4;

/** Milliseconds. */
export const SEND_TIMEOUT = 30_000;
