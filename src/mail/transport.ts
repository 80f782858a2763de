/** The types of a mail, and of a transport that sends it. */

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
   * Resolves when a mail server has accepted the mail.
   * @throws SendError within SEND_TIMEOUT
   */
  send(mail: Mail): Promise<void>;
  /**
   * Resolves when the mail server can be reached and accepts the credentials. Sends nothing.
   * @throws SendError
   */
  check(): Promise<void>;
  /** Closes connections that are kept open. */
  close(): void;
}

/** Do not log its message, because it may repeat the address. The properties here do not. */
export interface SendError extends Error {
  /** What kind of failure it is, such as ETIMEDOUT. */
  code?: string | undefined;
  /** The runtime's name for the failure of a connection, such as ECONNREFUSED. */
  originalCode?: string | undefined;
  /** The server's answer (RFC 5321 §4.2). */
  responseCode?: number | undefined;
  /** Whether the server will never accept this mail, however often it is sent. */
  permanent?: boolean | undefined;
  /** Whether the server refuses this service, and so would refuse every mail until the operator has fixed this. */
  refusesService?: boolean | undefined;
}

/** Maximum number of mails that a transport gets at the same time. */
export const CONCURRENCY = 4;

/** Milliseconds. */
export const SEND_TIMEOUT = 30_000;
