/** Runs a command to its end, for tests of commands that users type. */

export interface Ran {
  stdout: string;
  stderr: string;
  code: number;
}

/** @param environment variables in addition to those of this process */
export async function command(
  folder: string,
  words: string[],
  environment: Record<string, string> = {},
): Promise<Ran> {
  const child = Bun.spawn(words, {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { stdout, stderr, code: await child.exited };
}

/**
 * The command's output on stdout.
 * @throws Error with its whole output, when its exit code is not 0
 */
export async function output(...of: Parameters<typeof command>): Promise<string> {
  const { stdout, stderr, code } = await command(...of);
  if (code !== 0) throw new Error(`${of[1].join(" ")}: exit code ${code}\n${stdout}${stderr}`);
  return stdout;
}

/** @throws Error naming the Debian package to install, when a program is missing */
export function requirePrograms(packages: Record<string, string>): void {
  for (const [program, name] of Object.entries(packages)) {
    if (Bun.which(program)) continue;
    throw new Error(`This needs ${program}: install it (apt-get install ${name}).`);
  }
}
