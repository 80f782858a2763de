/**
 * Runs every command of the README's walk as a new user would: with bash and curl on a running service, and with
 * one-time passwords from the mails that the service prints.
 */
import { expect, test } from "bun:test";
import { type ServiceProcess, startProcess, temporaryFolder } from "../process.ts";
import { startShell } from "./shell.ts";

const readme = await Bun.file(new URL("../../README.md", import.meta.url)).text();
const walk = readme.slice(readme.indexOf("## A walk"), readme.indexOf("## The page"));

/** The commands, and the output that the README shows for each block of them ("" if it shows none). */
const steps = Array.from(
  walk.matchAll(/```sh\n(.*?)```\n(?:\n```json\n(.*?)```\n)?/gs),
  ([, commands = "", printed = ""]) => ({ commands, printed }),
);

/** The lines in which a person replaces the code with the one in a mail. */
const CODE = /^(OTP=123456|CODE=7ZK4Q-W9PJM-3XT)$/m;

test("the walk in the README prints what the README says", async () => {
  expect(steps.length).toBeGreaterThanOrEqual(6);
  using folder = temporaryFolder();
  await using service = await startProcess(folder.path);
  await using shell = startShell();
  const printed: string[] = [];
  let mails = 0;
  for (const { commands } of steps) {
    const code = CODE.test(commands) ? await mailedCode(service, mails++) : "";
    const mine = commands
      .replace("http://localhost:3000", service.url)
      .replace(CODE, (line) => `${line.split("=")[0]}=${code}`);
    printed.push(await shell.run(onePerLine(mine)));
  }
  expect(await shell.end()).toBe(0);
  expect(printed.map(tidy)).toEqual(steps.map((step) => tidy(step.printed)));
  expect(mails).toBe(2);
});

/** The code in a mail that the service prints. The first mail has the index 0. */
async function mailedCode({ stdout }: ServiceProcess, index: number): Promise<string> {
  for (;;) {
    const pattern = /^ +(\d{6}|\w{5}-\w{5}-\w{3})$/;
    const code = stdout.flatMap((line) => pattern.exec(line)?.[1] ?? [])[index];
    if (code !== undefined) return code;
    await Bun.sleep(20);
  }
}

/**
 * An answer has no line break at its end. In a terminal the prompt would follow; here an `echo` adds the line break.
 */
function onePerLine(commands: string): string {
  return commands.replaceAll(/^(curl (?:.*\\\n)*.*)$/gm, "$1; echo");
}

/** Without the parts that differ between runs. */
const tidy = (text: string) =>
  text
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replaceAll(/urn:request:[\w-]+/g, "REQUEST")
    .replaceAll(/"next_cursor":"2\.[\w-]{43}"/g, "CURSOR")
    .replaceAll(/_token":"eyJhbGciOiJIUzI1NiIsImtp[^"]*"/g, "_token: JWT")
    .trim();
