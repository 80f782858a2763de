/** A libSQL primary and a replica, with a service on each, and one on an embedded replica. */
import { migrate } from "../../src/database/migrate.ts";
import { openDatabase } from "../../src/database/open.ts";
import { startProcess, temporaryFolder } from "../process.ts";
import { SECRET } from "../service.ts";
import { serverToken, startPrimary, startReplica } from "../sqld.ts";

export type Cluster = Awaited<ReturnType<typeof startCluster>>;

export async function startCluster() {
  const folder = temporaryFolder();
  const token = serverToken();
  const primary = await startPrimary(folder.path);
  const replica = await startReplica(folder.path, "replica", primary.grpc);
  const database = await openDatabase(primary.url, { databaseAuthToken: token });
  await migrate(database);
  database.$client.close();
  const settings = { JWT_SECRET: SECRET, DATABASE_AUTH_TOKEN: token, NO_COLOR: "1" };
  const startOn = (url: string, more = {}) =>
    startProcess(folder.path, { ...settings, DATABASE_URL: url, ...more });
  const nodes = [
    await startOn(primary.url),
    await startOn(replica.url),
    await startOn("file:embedded.db", {
      DATABASE_SYNC_URL: primary.url,
      DATABASE_SYNC_INTERVAL: "1",
    }),
  ];
  return {
    nodes,
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
      await replica.kill();
      await primary.kill();
      folder[Symbol.dispose]();
    },
  };
}
