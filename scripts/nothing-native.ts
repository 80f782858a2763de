/** Refuses to bundle code that cannot run on the edge, so that a developer who imports such code gets an error. */
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
      // This package can read files and start programs, if it is told to. `mail/smtp.ts` forbids it.
      if (found.importer.includes("/node_modules/nodemailer/")) return undefined;
      throw new Error(`${found.path} is not for the edge: imported by ${found.importer}`);
    });
  },
};
