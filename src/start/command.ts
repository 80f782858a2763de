/** What each command is given, and how it refuses. */
import type { Progress } from "./progress.ts";
import type { Runtime } from "./run.ts";

/** What a command works with. */
export interface Command {
  args: string[];
  environment: Runtime["environment"];
  /** Prints a line. */
  print(line: string): void;
  progress: Progress;
  /** What stdin holds. */
  readInput(): Promise<string>;
}

/** An error that its message alone explains. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
