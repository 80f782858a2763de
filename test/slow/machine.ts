/**
 * A machine for the commands in `docs/operating.md`: it has the programs of this machine, but its own /etc, /var and
 * network, and the user is root in it. (It uses bubblewrap. There is no systemd in it, so `systemctl` is a script.)
 */
import { chmodSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requirePrograms } from "../command.ts";
import { startShell } from "./shell.ts";

/** Starts and stops units according to their files, as far as the guide needs it. */
const SYSTEMCTL = `#!/bin/bash
set -euo pipefail
action=$1
shift
if [[ \${1:-} == --now ]]; then shift; fi

value() { sed -n "s/^$1=//p" "$file"; }

# Runs the unit's commands, as its user and with its settings.
run() {
  for folder in $(value StateDirectory); do
    install -d -m "$(value StateDirectoryMode)" -o "$(value User)" "/var/lib/$folder"
  done
  value ExecStart | sed 's/%%/%/g' | while read -r line; do
    env -i bash -c "set -ea; . $(value EnvironmentFile); cd $(value WorkingDirectory)
      umask $(value UMask)
      exec setpriv --reuid=$(value User) --regid=$(value User) --init-groups -- $line"
  done
}

stop() {
  kill -TERM "$(cat "$pid")"
  while kill -0 "$(cat "$pid")" 2> /dev/null; do sleep 0.1; done
  rm "$pid"
}

start() {
  if [[ $(value Type) == oneshot ]]; then
    run >> "/run/$name.log" 2>&1
  else
    # The last of the pipe's commands becomes the service.
    setsid bash -c "$(declare -f run value); file=$file; run" >> "/run/$name.log" 2>&1 &
    while ! pgrep --full --exact "$(value ExecStart)" > "$pid"; do sleep 0.1; done
  fi
}

for name in "$@"; do
  name=\${name%.service}
  # A timer waits.
  if [[ $name == *.timer ]]; then continue; fi
  file=/etc/systemd/system/$name.service
  pid=/run/$name.pid
  case $action in
    start | enable) start ;;
    stop) stop ;;
    restart) stop && start ;;
  esac
done
`;

const JOURNALCTL = `#!/bin/bash
exec cat "/run/$2.log"
`;

export type Machine = ReturnType<typeof startMachine>;

/** @param folder the folder for everything that is written. Its folder `work` is where the shell begins */
export function startMachine(folder: string) {
  requirePrograms({ bwrap: "bubblewrap" });
  const own = (name: string) => {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const programs = own("bin");
  for (const [name, script] of Object.entries({ systemctl: SYSTEMCTL, journalctl: JOURNALCTL })) {
    writeFileSync(join(programs, name), script);
    chmodSync(join(programs, name), 0o755);
  }
  cpSync("/etc", own("etc"), { recursive: true, verbatimSymlinks: true });
  const bind = (from: string, to: string) => ["--bind", from, to];
  return startShell([
    ...["bwrap", "--die-with-parent", "--unshare-pid", "--unshare-net", "--cap-add", "ALL"],
    ...["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run"],
    ...["--perms", "1777", "--tmpfs", "/tmp"],
    ...bind(join(folder, "etc"), "/etc"),
    ...bind(own("var/lib"), "/var/lib"),
    ...bind(own("var/log"), "/var/log"),
    ...bind(own("work"), "/srv"),
    ...bind(programs, "/usr/local/bin"),
    ...["--ro-bind", process.execPath, "/run/bin/bun"],
    ...["--chdir", "/srv", "--clearenv"],
    ...["--setenv", "PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/bin"],
    ...["bash", "-euo", "pipefail"],
  ]);
}
