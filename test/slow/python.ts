/** Python for the slow tests: a virtual environment with packages from PyPI. */
import { join } from "node:path";
import { output, requirePrograms } from "../command.ts";

/**
 * Makes a virtual environment in `folder`.
 * @param packages arguments for `pip install`, with exact versions
 * @returns the folder of its programs
 */
export async function createVenv(folder: string, packages: string[]): Promise<string> {
  requirePrograms({ python3: "python3 python3-venv" });
  const venv = join(folder, "venv");
  await output(folder, ["python3", "-m", "venv", venv]);
  const bin = join(venv, "bin");
  const quietly = ["install", "--quiet", "--disable-pip-version-check"];
  await output(folder, [join(bin, "pip"), ...quietly, ...packages]);
  return bin;
}
