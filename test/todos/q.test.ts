/** Searching with `q`: anywhere in contents and notes, in any script, in any case and width. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Service, startService } from "../service.ts";
import { contentsOf, newUser, type User } from "./actions.ts";

let service: Service;
let mina: User;

beforeAll(async () => {
  service = await startService();
  mina = await newUser(service);
  for (const contents of TEXTS) await mina.add(contents);
  for (const [contents, notes] of NOTES) await mina.add({ contents, notes });
});
afterAll(() => service.stop());

const TEXTS = [
  "Buy MILK",
  "우유 사기",
  "éclair",
  "ｗｉｄｅ letters",
  "Straße",
  "ΣΊΣΥΦΟΣ",
  "100% sure_thing\\n",
  "two  spaces",
  "ﬁle taxes",
];
const NOTES = [
  ["plain", "The one with the BLUE cap"],
  ["other", "파란 뚜껑\nsecond line"],
] as const;

const find = async (q: string, user = mina) =>
  contentsOf((await user.list(`q=${encodeURIComponent(q)}`)).todos);

test.each([
  ["milk", ["Buy MILK"]],
  ["MiLk", ["Buy MILK"]],
  ["y m", ["Buy MILK"]],
  ["우유", ["우유 사기"]],
  ["사", ["우유 사기"]],
  // In conjoining letters, as some systems send them.
  ["우유".normalize("NFD"), ["우유 사기"]],
  ["ÉCLAIR", ["éclair"]],
  ["E\u0301clair", ["éclair"]],
  ["wide", ["ｗｉｄｅ letters"]],
  ["ＬＥＴＴＥＲＳ", ["ｗｉｄｅ letters"]],
  ["STRASSE", ["Straße"]],
  ["straẞe", ["Straße"]],
  ["σίσυφος", ["ΣΊΣΥΦΟΣ"]],
  ["file", ["ﬁle taxes"]],
  ["blue CAP", ["plain"]],
  ["뚜껑", ["other"]],
  ["%", ["100% sure_thing\\n"]],
  ["sure_thing", ["100% sure_thing\\n"]],
  ["\\n", ["100% sure_thing\\n"]],
  ["two  s", ["two  spaces"]],
])("%s finds %j", async (q, expected) => {
  expect(await find(q)).toEqual(expected);
});

test.each([
  ["an accent that is not there", "eclair"],
  ["a space that is not there", "two s  "],
  ["a wildcard", "B%k"],
  ["a single-letter wildcard", "m_lk"],
  ["what runs from contents into notes", "plainThe"],
  ["a regular expression", "b.y"],
  ["what is only another user's", "secret"],
])("%s finds nothing", async (_what, q) => {
  const jiho = await newUser(service);
  await jiho.add("secret");
  expect(await find(q)).toEqual([]);
});

test("100 characters are enough to search for, of any kind", async () => {
  const user = await newUser(service);
  await user.add("🦊".repeat(200));
  expect(await find("🦊".repeat(100), user)).toHaveLength(1);
});

test("what is changed is found by what it is now alone", async () => {
  const user = await newUser(service);
  const { id } = await user.add({ contents: "Before", notes: "Older" });
  await user.change(id, { contents: "Après", notes: "Newer" });
  expect(await find("before", user)).toEqual([]);
  expect(await find("older", user)).toEqual([]);
  expect(await find("APRÈS", user)).toEqual(["Après"]);
  await user.change(id, { notes: null });
  expect(await find("newer", user)).toEqual([]);
});

test("what is in the trash is not found, and what is restored is", async () => {
  const user = await newUser(service);
  const { id } = await user.add({ contents: "Lost", notes: "and found" });
  await user.remove(id);
  expect(await find("found", user)).toEqual([]);
  await user.restore(id);
  expect(await find("LOST", user)).toEqual(["Lost"]);
  expect(await find("FOUND", user)).toEqual(["Lost"]);
});

describe("what a former version has written", () => {
  const write = async (user: User, texts: string[]) =>
    service.services.database.$client.execute({
      sql: `INSERT INTO todos (user_id, contents, is_done, created_at, updated_at)
        SELECT ?, value, 0, 0, 0 FROM json_each(?)`,
      args: [user.id, JSON.stringify(texts)],
    });

  test("is found at once, in any script", async () => {
    const user = await newUser(service);
    await write(user, ["Old MILK", "오래된 우유", "ÉCLAIR"]);
    expect(await find("milk", user)).toEqual(["Old MILK"]);
    expect(await find("우유", user)).toEqual(["오래된 우유"]);
    expect(await find("éclair", user)).toEqual(["ÉCLAIR"]);
    expect(await find("nothing", user)).toEqual([]);
    // Pages may be shorter meanwhile, but all of them together have every todo once.
    expect(contentsOf(await user.walk("q=l", 1))).toEqual(["Old MILK", "ÉCLAIR"]);
  });

  test("is folded before long, and found as everything else", async () => {
    const user = await newUser(service);
    await write(user, ["오래된 우유", "ÉCLAIR"]);
    await service.services.upkeep.run();
    const { rows } = await service.services.database.$client.execute({
      sql: "SELECT contents_folded FROM todos WHERE user_id = ?",
      args: [user.id],
    });
    expect(rows.map((row) => row[0])).toEqual(["오래된 우유", "éclair"]);
    expect(await find("éclair", user)).toEqual(["ÉCLAIR"]);
  });
});
