/** The requests about one-time passwords and reset codes, to one service, and users who have sent them. */
import { expect } from "bun:test";
import { expectProblem } from "../http/answers.ts";
import { PASSWORD, type Service } from "../service.ts";

export const NEW_PASSWORD = "staple battery correct";

export type Headers = Record<string, string>;
export type User = Awaited<ReturnType<Service["user"]>>;

/** A request behind one proxy, from an address that the test chooses. */
export const from = (address: string): Headers => ({ "x-forwarded-for": address });

let addresses = 0;
/** An e-mail address that no test has used before. */
export const newAddress = () => `mina-${++addresses}@example.com`;

/** @param service returns the service, because it is started after this call */
export function otpRequests(service: () => Service) {
  const call: Service["call"] = (...args) => service().call(...args);
  const requests = {
    sendVerification: (
      token: string,
      email: string,
      { headers = {}, password }: { headers?: Headers; password?: string } = {},
    ) =>
      call("POST", "/users/email/otp", {
        token,
        json: { email, ...(password !== undefined && { password }) },
        headers,
      }),
    verify: (token: string, otp: string, headers: Headers = {}) =>
      call("POST", "/users/email/otp/verify", { token, json: { otp }, headers }),
    sendReset: (email: string, headers: Headers = {}) =>
      call("POST", "/users/password/otp", { json: { email }, headers }),
    reset: (email: string, otp: string, new_password = NEW_PASSWORD, headers: Headers = {}) =>
      call("POST", "/users/password/reset", { json: { email, otp, new_password }, headers }),
    signUp: (username: string, email: string, headers: Headers = {}) =>
      call("POST", "/users/sign-up", { json: { username, password: PASSWORD, email }, headers }),
    logIn: (username: string, password = PASSWORD, headers: Headers = {}) =>
      call("POST", "/users/log-in", { json: { username, password }, headers }),
    me: async (token: string) => (await call("GET", "/users/me", { token })).json(),

    /** Verifies `address` for the user. */
    async prove({ token }: Pick<User, "token">, address: string): Promise<void> {
      const sent = await requests.sendVerification(token, address, { password: PASSWORD });
      expect(sent.status).toBe(202);
      const verified = await requests.verify(token, await service().nextOtp(address));
      expect(verified.status).toBe(200);
    },

    /** A new user with a verified address, whose account is known from the network of the tests. */
    async verifiedUser() {
      const user = await service().user();
      const address = newAddress();
      await requests.prove(user, address);
      return { ...user, address };
    },

    /** The rows of a query. */
    async rowsOf(sql: string): Promise<unknown[][]> {
      const { rows } = await service().services.database.$client.execute(sql);
      return rows.map((row) => Object.values(row));
    },

    /** The addresses of all mails that were sent and not read by a test yet. */
    recipients: async () => (await service().mails()).flatMap((mail) => mail.recipients),
  };
  return requests;
}

/** Asserts that `answer` is 429 with this code, and returns its `Retry-After` in seconds. */
export async function retryAfter(answer: Response, code = "otp_cooldown"): Promise<number> {
  await expectProblem(answer, [429, code]);
  return Number(answer.headers.get("retry-after"));
}

/** `count` different codes of six digits, none of which is `otp`. */
export const wrongDigits = (otp: string, count: number) =>
  Array.from({ length: count }, (_, i) => String((Number(otp) + 1 + i) % 1e6).padStart(6, "0"));
