/** A shell that runs the commands of a document, block by block, as a reader would type them. */

/** The commands run one after the other, and stop at the first one that fails. */
export function startShell(
  command = ["bash", "-euo", "pipefail"],
  folder = process.cwd(),
  environment: Record<string, string> = {},
) {
  const boundary = "--- end of block";
  const env = { ...process.env, ...environment };
  const shell = Bun.spawn(command, { cwd: folder, env, stdin: "pipe" });
  const chunks = shell.stdout.pipeThrough(new TextDecoderStream()).getReader();
  return {
    /** The output of the commands. */
    async run(commands: string): Promise<string> {
      shell.stdin.write(`${commands}\necho "${boundary}"\n`);
      await shell.stdin.flush();
      let output = "";
      while (!output.includes(boundary)) {
        const { value, done } = await chunks.read();
        if (done) throw new Error(`The shell ended in: ${commands}${output}`);
        output += value;
      }
      return output.replace(`${boundary}\n`, "");
    },

    /** The exit code. */
    async end(): Promise<number> {
      await shell.stdin.end();
      return shell.exited;
    },

    async [Symbol.asyncDispose]() {
      shell.kill("SIGKILL");
      await shell.exited;
    },
  };
}
