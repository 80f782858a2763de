/** The processor time of a process, which other work on the machine disturbs less than rates. */
import { readdirSync, readFileSync } from "node:fs";

/**
 * Seconds of CPU time that all threads of a process have used, to the microsecond. Only on Linux.
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
