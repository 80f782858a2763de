/** Which passwords are too easy to guess (NIST SP 800-63B §3.1.1.2, ASVS 6.2). */
import { Failure } from "../http/problem.ts";

/**
 * The common passwords of public leaks that have at least eight characters, in lower case. Each is between two line breaks.
 * `scripts/common-passwords.ts` makes the file.
 */
const loadCommon = () => import("./common-passwords.txt", { with: { type: "text" } });

/**
 * Refuses a common password, in upper or lower case.
 * @param pointer the field of the body that has the password, as a JSON Pointer
 * @throws Failure `weak_password`
 */
export async function refuseCommonPassword(password: string, pointer: string): Promise<void> {
  const { default: common } = await loadCommon();
  // To search the whole text takes microseconds, and the hash of the password takes milliseconds.
  if (!common.includes(`\n${password.toLowerCase()}\n`)) return;
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
