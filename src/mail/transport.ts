/** What a mail is, and what can take one away. */

/** What a mail says. */
export interface Message {
  subject: string;
  text: string;
  html: string;
}

export interface Mail extends Message {
  /** One plain address, checked. */
  to: string;
}

export interface Transport {
  /**
   * Resolves once somebody else has taken the mail over.
   * @throws SendError within SEND_TIMEOUT
   */
  send(mail: Mail): Promise<void>;
  /** Closes connections that are kept open. */
  close(): void;
}

/** Its message may repeat what a server said, and so the address; these properties don't. */
export interface SendError extends Error {
  /** What kind of failure it is, such as ETIMEDOUT. */
  code?: string | undefined;
  /** What the runtime called the failure of a connection, such as ECONNREFUSED. */
  originalCode?: string | undefined;
  /** The server's answer (RFC 5321 §4.2). */
  responseCode?: number | undefined;
  /** Whether the server will not take this mail however often it is sent (a 5yz answer). */
  permanent?: boolean | undefined;
}

/** Mails that a transport is given at once, at most. */
export const CONCURRENCY = 4;

/** Milliseconds. */
export const SEND_TIMEOUT = 30_000;
