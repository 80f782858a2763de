/** The input of each command, and its error for wrong input. */
import type { Progress } from "./progress.ts";
import type { Runtime } from "./run.ts";

/** The input and the output of a command. */
export interface Command {
  args: string[];
  environment: Runtime["environment"];
  /** Prints a line. */
  print(line: string): void;
  progress: Progress;
  /** Reads stdin to its end. */
  readInput(): Promise<string>;
}

/** An error whose message explains it completely, without a stack. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
