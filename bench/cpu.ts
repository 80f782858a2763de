/** The CPU time of a process. Other work on the machine affects it less than it affects rates. */
import { readdirSync, readFileSync } from "node:fs";

/**
 * Seconds of CPU time that all threads of a process have used, with microsecond precision. Only on Linux.
 * https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat
 */
export function cpuSeconds(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(tasks).map((task) => {
    const [onCpu] = readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ");
    return Number(onCpu);
  });
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
}
