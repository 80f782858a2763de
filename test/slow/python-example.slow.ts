/** Runs the example in Python with the command in its first lines, with a running service. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { output, requirePrograms } from "../command.ts";
import { startService } from "../service.ts";

const ROOT = join(import.meta.dir, "../..");

test("the example in Python keeps todos, for a new user and for one who is there", async () => {
  requirePrograms({ python3: "python3" });
  const service = await startService();
  try {
    const run = () =>
      output(ROOT, [
        "python3",
        "examples/python/todos.py",
        service.url,
        "mina",
        "correct horse battery",
      ]);
    const left = "Write to Jiho\nWater the plants\n";
    const refused = /^validation_failed \[\{'pointer': '\/contents', 'detail': '.*'\}\]\n$/;
    const first = await run();
    expect(first).toStartWith(left);
    expect(first.slice(left.length)).toMatch(refused);
    // Four are left now, on two pages.
    expect(await run()).toStartWith(left + left);
  } finally {
    await service.stop();
  }
});
