/** The other process in outbox.test.ts. It sends the mails that are due in the database file, until its input ends. */
import { openDatabase } from "../../src/database/open.ts";
import { startClockwork } from "../../src/mail/clockwork.ts";
import { openTransport } from "../../src/mail/open.ts";
import { createOutbox } from "../../src/mail/outbox.ts";

const [, , databaseUrl = "", mailUrl = ""] = process.argv;
const database = await openDatabase(databaseUrl);
const transport = openTransport(mailUrl, "todos@example.org");
const clock = Date.now;
const outbox = startClockwork(createOutbox({ database, clock, transport }), clock);
outbox.wake();
for await (const _ of Bun.stdin.stream()) {
  // The parent sends nothing but the end of the input.
}
await outbox.stop();
transport.close();
database.$client.close();
