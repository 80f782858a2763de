/**
 * The log of security events (ASVS 5.0, 16.3): a line at `warning` for each, with the client's address and the user's
 * id. It never has a user name, an e-mail address or a code. `SECURITY.md` lists the events.
 */
import { getLogger } from "@logtape/logtape";
import { type Exchange, idsOf } from "../http/exchange.ts";

const logger = getLogger(["todos", "security"]);

const EVENTS = {
  too_many_failures: "a password or reset code failed, or was not checked, after five failures",
  account_refused: "a log-in was not checked: this account has too many failures from everywhere",
  budget_spent: "this network has reached an hourly limit",
  refresh_token_reused: "a refresh token was used again, and its session has ended",
  password_reset: "the password was reset",
  password_changed: "the password was changed",
  disabled: "an operator disabled the user",
  email_changed: "the e-mail address was verified",
} as const;

export type SecurityEvent = keyof typeof EVENTS;

/**
 * @param user_id the user whose account is affected; null when that is not known
 * @param details further properties of the line. They must not contain what a client has sent
 */
export function logSecurityEvent(
  event: SecurityEvent,
  exchange: Pick<Exchange, "id" | "traceId" | "ip">,
  user_id: number | null,
  details: Record<string, string> = {},
): void {
  const { ip } = exchange;
  logger.warn(`security: ${EVENTS[event]}`, {
    event,
    ...idsOf(exchange),
    ip,
    user_id,
    ...details,
  });
}
