/**
 * Writers and readers act at the same time, over two processes on one file: in the end all copies are equal. Set SEED
 * to repeat a run, and STEPS for a longer one. `test/slow/sync.slow.ts` has long runs, and a cluster.
 */
import { test } from "bun:test";
import { startProcess, temporaryFolder } from "../process.ts";
import { runModel } from "./model.ts";

const STEPS = Number(process.env.STEPS ?? 60);
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

test(`all copies are equal in the end (SEED=${SEED})`, async () => {
  using folder = temporaryFolder();
  await using one = await startProcess(folder.path);
  await using other = await startProcess(folder.path);
  const { token } = await one.user();
  await runModel({ nodes: [one, other], token, seed: SEED, steps: STEPS });
}, 120_000);
