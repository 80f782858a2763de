/** Which passwords are too easy to guess (NIST SP 800-63B §3.1.1.2, ASVS 6.2). */
import { Failure } from "../http/problem.ts";
import { loadOnce } from "../load-once.ts";

/** The 49,000 most common passwords of public leaks, in lower case. Loading takes 30 ms. */
const common = loadOnce(async () => {
  const { dictionary } = await import("@zxcvbn-ts/language-common");
  return new Set(dictionary["passwords-common"]);
});

/**
 * Refuses a common password, in upper or lower case.
 * @param pointer the field of the body that has the password, as a JSON Pointer
 * @throws Failure `weak_password`
 */
export async function refuseCommonPassword(password: string, pointer: string): Promise<void> {
  if (!(await common()).has(password.toLowerCase())) return;
  const detail = "This is one of the most common passwords.";
  throw new Failure("weak_password", { errors: [{ pointer, detail }] });
}

/**
 * Refuses a password that contains the user name, in upper or lower case.
 * @param pointer the field of the body that has the password, as a JSON Pointer
 * @throws Failure `weak_password`
 */
export function refuseNameInPassword(password: string, username: string, pointer: string): void {
  if (!password.toLowerCase().includes(username.toLowerCase())) return;
  const detail = "The password must not contain the user name.";
  throw new Failure("weak_password", { errors: [{ pointer, detail }] });
}
