/** Refuses to bundle what the edge does not have, so that whoever makes it reachable hears of it. */
import type { BunPlugin } from "bun";

export const nothingNative: BunPlugin = {
  name: "nothing native",
  setup(build) {
    build.onResolve(
      { filter: /^(libsql$|@libsql\/(linux|darwin|win32)|@node-rs\/|bun:|bun$)/ },
      (found) => {
        throw new Error(`${found.path} is not for the edge: imported by ${found.importer}`);
      },
    );
    build.onResolve({ filter: /^(node:)?(fs|child_process|worker_threads)$/ }, (found) => {
      // It reads files and starts programs when it is told to, and `mail/smtp.ts` forbids it.
      if (found.importer.includes("/node_modules/nodemailer/")) return undefined;
      throw new Error(`${found.path} is not for the edge: imported by ${found.importer}`);
    });
  },
};
