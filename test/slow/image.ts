/**
 * Builds and runs a Dockerfile without a container engine: each step unchanged, in an empty root directory like that of
 * the base image. It supports the instructions that our Dockerfile uses, and refuses all others.
 */
import { cpSync, existsSync, globSync, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { output, requirePrograms } from "../command.ts";

/** The user that the base image has besides root. */
const USER_ID = 1000;
/** The folder in which a stage begins. */
const WORK = "/home/bun/app";

/** Arguments for `setpriv`. */
const WITHOUT_PRIVILEGES = ["--clear-groups", "--bounding-set=-all", "--no-new-privs", "--"];

/** A stage during the build: its root directory, and how its container will be started. */
export interface Stage {
  root: string;
  folder: string;
  environment: Record<string, string>;
  user: string;
  entrypoint: string[];
  command: string[];
  healthcheck: string[];
  volumes: string[];
}

interface Instruction {
  name: string;
  rest: string;
}

function parse(dockerfile: string): Instruction[] {
  return dockerfile
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, name = "", rest = ""] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { name, rest: rest.trim() };
    });
}

/**
 * The base image, made of Debian's packages and npm's Bun, because `oven/bun:…-slim` is only available from a Docker
 * registry.
 * @param folder the folder for the root directory
 */
export async function makeBase(folder: string): Promise<string> {
  requirePrograms({ mmdebstrap: "mmdebstrap", bwrap: "bubblewrap" });
  const root = join(folder, "base");
  // Without CA certificates libSQL's server does not start. The base image has them too.
  const packages = ["--variant=minbase", "--include=ca-certificates"];
  await output(folder, ["mmdebstrap", "--quiet", ...packages, "bookworm", root]);
  cpSync(process.execPath, join(root, "usr/local/bin/bun"));
  const inRoot = (...words: string[]) => output(folder, ["chroot", root, ...words]);
  await inRoot("groupadd", "--gid", String(USER_ID), "bun");
  const user = ["--uid", String(USER_ID), "--gid", "bun", "--create-home"];
  await inRoot("useradd", ...user, "bun");
  mkdirSync(join(root, WORK));
  return root;
}

/**
 * The stages by their names. The name of the last one is "".
 * @param source the folder with `Dockerfile` and `.dockerignore`
 * @param base replaces every image of Bun
 * @throws Error at the first step that fails
 */
export async function build(source: string, base: string, folder: string) {
  const context = copyContext(source, folder);
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const { name, rest } of parse(readFileSync(join(source, "Dockerfile"), "utf8"))) {
    if (name === "FROM") {
      const [image = "", , alias = ""] = rest.split(" ");
      stage = await from(image, base, join(folder, `stage-${stages.size}`));
      stages.set(alias, stage);
    } else if (stage) await apply({ name, rest }, stage, context, stages);
  }
  return stages;
}

/** The files for the builder: the names that `.dockerignore` lets through. This file lists what is not ignored. */
function copyContext(source: string, folder: string): string {
  const context = join(folder, "context");
  mkdirSync(context);
  const rules = readFileSync(join(source, ".dockerignore"), "utf8").trim().split("\n");
  const [everything, ...names] = rules.filter((line) => !line.startsWith("#"));
  if (everything !== "*") throw new Error(".dockerignore has to begin with *");
  for (const rule of names) {
    const name = rule.slice("!".length);
    cpSync(join(source, name), join(context, name), { recursive: true });
  }
  return context;
}

async function from(image: string, base: string, root: string): Promise<Stage> {
  if (image !== `oven/bun:${Bun.version}-slim`) throw new Error(`${image} is not this Bun`);
  await output(base, ["cp", "--archive", base, root]);
  return {
    root,
    folder: WORK,
    environment: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
    user: "0:0",
    entrypoint: [],
    command: [],
    healthcheck: [],
    volumes: [],
  };
}

async function apply(
  { name, rest }: Instruction,
  stage: Stage,
  context: string,
  stages: Map<string, Stage>,
): Promise<void> {
  switch (name) {
    case "WORKDIR":
      stage.folder = rest;
      mkdirSync(join(stage.root, rest), { recursive: true });
      break;
    case "ENV":
      for (const [, key = "", value = ""] of rest.matchAll(/(\w+)=(\S+)/g)) {
        stage.environment[key] = value;
      }
      break;
    case "COPY":
      await copy(rest, stage, context, stages);
      break;
    case "RUN":
      await output(stage.root, inside(stage, builder(), ["/bin/sh", "-c", rest]));
      break;
    case "USER":
      stage.user = rest;
      break;
    case "VOLUME":
      stage.volumes.push(rest);
      break;
    case "ENTRYPOINT":
      stage.entrypoint = JSON.parse(rest);
      break;
    case "CMD":
      stage.command = JSON.parse(rest);
      break;
    case "HEALTHCHECK":
      stage.healthcheck = JSON.parse(rest.slice(rest.indexOf("CMD ") + "CMD ".length));
      break;
    case "EXPOSE":
      break;
    default:
      throw new Error(`No such instruction is known here: ${name}`);
  }
}

async function copy(
  rest: string,
  stage: Stage,
  context: string,
  stages: Map<string, Stage>,
): Promise<void> {
  const words = rest.split(" ");
  const option = (name: string) =>
    words.find((word) => word.startsWith(`--${name}=`))?.slice(`--${name}=`.length);
  const origin = option("from");
  const source = origin === undefined ? context : stages.get(origin)?.root;
  if (source === undefined) throw new Error(`There is no stage ${origin}`);
  const paths = words.filter((word) => !word.startsWith("--"));
  const target = join(stage.root, pathIn(stage, paths.pop() ?? ""));
  const isFolder = rest.endsWith("/");
  if (isFolder) mkdirSync(target, { recursive: true });
  for (const pattern of paths) {
    const found = globSync(join(source, pattern));
    if (found.length !== 1) throw new Error(`COPY ${pattern}: ${found.length} found`);
    for (const path of found) {
      cpSync(path, isFolder ? join(target, basename(path)) : target, {
        recursive: true,
        verbatimSymlinks: true,
      });
    }
  }
  const mode = option("chmod");
  if (mode !== undefined) await output(stage.root, ["chmod", mode, target]);
}

const pathIn = ({ folder }: Stage, path: string) =>
  path.startsWith("/") ? path : join(folder, path);

/** The words of a command that runs another command in the stage's root directory. */
function inside(stage: Stage, options: string[], command: string[]): string[] {
  const { root, folder, environment, user } = stage;
  const [uid = "", gid = uid] = user.split(":");
  return [
    ...["bwrap", "--die-with-parent", "--unshare-pid", "--cap-add", "ALL"],
    "--clearenv",
    ...options.flatMap((word) => (word === "ROOT" ? [root, "/"] : [word])),
    ...["--dev", "/dev", "--proc", "/proc", "--chdir", folder],
    ...Object.entries(environment).flatMap(([name, value]) => ["--setenv", name, value]),
    ...(uid === "0" ? [] : ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, ...WITHOUT_PRIVILEGES]),
    ...command,
  ];
}

/** A step of the build may write, and it uses the network of this machine. */
function builder(): string[] {
  const readable = (from: string | undefined, to: string) =>
    from !== undefined && existsSync(from) ? ["--ro-bind", from, to] : [];
  const authorities = "/run/authorities.pem";
  return [
    ...["--bind", "ROOT"],
    ...readable("/etc/resolv.conf", "/etc/resolv.conf"),
    ...readable(join(homedir(), ".npmrc"), "/root/.npmrc"),
    ...readable(process.env.NODE_EXTRA_CA_CERTS, authorities),
    ...(process.env.NODE_EXTRA_CA_CERTS ? ["--setenv", "NODE_EXTRA_CA_CERTS", authorities] : []),
  ];
}

/**
 * The words of a command that runs the stage as `docker run --read-only` does, with its volumes in `folder`.
 * @param command replaces the image's own command
 */
export function container(
  stage: Stage,
  folder: string,
  environment: Record<string, string> = {},
  command = [...stage.entrypoint, ...stage.command],
): string[] {
  const volumes = stage.volumes.flatMap((path) => {
    const own = join(folder, path);
    // As in Docker, a new volume has the files and the owner of the image's folder.
    if (!existsSync(own)) Bun.spawnSync(["cp", "--archive", join(stage.root, path), own]);
    return ["--bind", own, path];
  });
  const started = { ...stage, environment: { ...stage.environment, ...environment } };
  return inside(started, ["--ro-bind", "ROOT", ...volumes], command);
}
