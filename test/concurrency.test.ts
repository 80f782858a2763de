/** Requests that race each other. In any order, each answer is true, and nothing is left half done. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { tally, times } from "./parallel.ts";
import { PASSWORD, type Service, startService } from "./service.ts";

const OTHER_PASSWORD = "staple battery correct";

let service: Service;

beforeAll(async () => {
  service = await startService();
});

afterAll(() => service.stop());

const me = (token: string) => service.call("GET", "/users/me", { token });

const refresh = (refresh_token: string) =>
  service.call("POST", "/users/refresh", { json: { refresh_token } });

const logIn = (username: string, password: string) =>
  service.call("POST", "/users/log-in", { json: { username, password } });

const changePassword = (token: string, current_password: string, new_password: string) =>
  service.call("PUT", "/users/me/password", { token, json: { current_password, new_password } });

const logOut = (token: string) => service.call("POST", "/users/log-out", { token });

async function count(sql: string, id: number) {
  const { rows } = await service.services.database.$client.execute({ sql, args: [id] });
  return rows[0]?.[0];
}

let sharedUser: ReturnType<Service["user"]> | undefined;

/** A user that several tests share, because each sign-up costs a hash. */
function shared() {
  sharedUser ??= service.user("shared");
  return sharedUser;
}

describe("fifty sign-ups at once", () => {
  test.each([
    ["of one name", () => "Rushed"],
    ["of one name in different cases", (i: number) => (i % 2 ? "hASTY.one" : "Hasty.One")],
  ])("%s: one is created, forty-nine find it taken", async (_what, username) => {
    const answers = await times(50, (i) =>
      service.call("POST", "/users/sign-up", {
        json: { username: username(i), password: PASSWORD },
      }),
    );
    expect(tally(answers)).toEqual({ 201: 1, 409: 49 });
    const created = await answers.find(({ status }) => status === 201)?.json();
    const { token } = await service.logIn(username(0));
    expect(await (await me(token)).json()).toMatchObject(created);
  });

  test("of different names: all are created, each with an id of its own", async () => {
    const answers = await times(50, (i) =>
      service.call("POST", "/users/sign-up", {
        json: { username: `crowd-${i}`, password: PASSWORD },
      }),
    );
    expect(tally(answers)).toEqual({ 201: 50 });
    const ids = await Promise.all(answers.map(async (answer) => (await answer.json()).id));
    expect(new Set(ids).size).toBe(50);
  });
});

test("twenty refreshes of one token at once are one lineage, and the session lives", async () => {
  const { username, id, refresh_token } = await service.user();
  const answers = await times(20, () => refresh(refresh_token));
  expect(tally(answers)).toEqual({ 200: 20 });
  const tokens = await Promise.all(answers.map((answer) => answer.json()));
  const successors = new Set(tokens.map((each) => each.refresh_token));
  expect(successors.size).toBe(1);
  for (const { access_token } of tokens) expect((await me(access_token)).status).toBe(200);
  const [successor] = successors;
  expect((await refresh(successor)).status).toBe(200);
  expect(await count("SELECT count(*) FROM sessions WHERE user_id = ?", id)).toBe(1);
  expect((await logIn(username, PASSWORD)).status).toBe(200);
});

test("a token and its successor refreshed at once are no two lineages", async () => {
  const { username } = await shared();
  for (let round = 0; round < 10; round++) {
    const { refresh_token } = await service.logIn(username);
    const { refresh_token: next } = await (await refresh(refresh_token)).json();
    const answers = await times(10, (i) => refresh(i % 2 ? refresh_token : next));
    const granted = answers.filter(({ status }) => status === 200);
    const tokens = await Promise.all(granted.map((answer) => answer.json()));
    const successors = new Set(tokens.map((each) => each.refresh_token));
    // The first token gives the second again, until the second one was used. The second gives one more.
    successors.delete(next);
    expect(successors.size).toBe(1);
    // By now the first token is two generations behind.
    expect((await refresh(refresh_token)).status).toBe(401);
    for (const { access_token } of tokens) expect((await me(access_token)).status).toBe(401);
  }
});

describe("a log-out while requests are in flight", () => {
  test("lets none in that starts after its answer", async () => {
    const { username } = await shared();
    for (let round = 0; round < 10; round++) {
      const { token, refresh_token } = await service.logIn(username);
      const inFlight = times(20, () => service.call("GET", "/todos", { token }));
      const loggedOut = logOut(token);
      const behind = times(20, () =>
        service.call("POST", "/todos", { token, json: { contents: "late" } }),
      );
      expect((await loggedOut).status).toBe(204);
      const after = await Promise.all([
        ...Array.from({ length: 10 }, () => me(token)),
        service.call("POST", "/todos", { token, json: { contents: "too late" } }),
        refresh(refresh_token),
        logOut(token),
      ]);
      expect(tally(after)).toEqual({ 401: 13 });
      for (const { status } of await inFlight) expect([200, 401]).toContain(status);
      for (const { status } of await behind) expect([201, 401]).toContain(status);
    }
  });

  test("leaves no todo that was not acknowledged, and every one that was", async () => {
    const { id, token } = await service.user();
    const writes = times(30, () =>
      service.call("POST", "/todos", { token, json: { contents: "racing" } }),
    );
    await logOut(token);
    const acknowledged = (await writes).filter(({ status }) => status === 201).length;
    expect(await count("SELECT count(*) FROM todos WHERE user_id = ?", id)).toBe(acknowledged);
  });

  test("beside another log-out: one ends the session, the other finds it ended", async () => {
    const { token } = await service.logIn((await shared()).username);
    expect(tally(await times(5, () => logOut(token)))).toEqual({ 204: 1, 401: 4 });
  });

  test("beside refreshes leaves no session behind", async () => {
    const { username } = await shared();
    for (let round = 0; round < 10; round++) {
      const { token, refresh_token } = await service.logIn(username);
      const [refreshed] = await Promise.all([refresh(refresh_token), logOut(token)]);
      // Either the refresh was first, or there was no session left to refresh.
      const tokens =
        refreshed.status === 200 ? await refreshed.json() : { access_token: token, refresh_token };
      expect((await me(tokens.access_token)).status).toBe(401);
      expect((await refresh(tokens.refresh_token)).status).toBe(401);
    }
  });
});

describe("password changes at once", () => {
  test("by one session: one succeeds, and its password alone logs in", async () => {
    const { username, token } = await service.user();
    // There are only a few of them, so none is throttled when all wrong ones are tried.
    const passwords = Array.from({ length: 4 }, (_, i) => `${OTHER_PASSWORD} ${i}`);
    const answers = await Promise.all(
      passwords.map((password) => changePassword(token, PASSWORD, password)),
    );
    expect(tally(answers)).toEqual({ 200: 1, 403: 3 });
    expect((await logIn(username, PASSWORD)).status).toBe(401);
    for (const [i, password] of passwords.entries()) {
      const { status } = await logIn(username, password);
      expect(status).toBe(answers[i]?.status === 200 ? 200 : 401);
    }
    expect((await me(token)).status).toBe(200);
  });

  test("by several sessions: one succeeds, and its session alone is left", async () => {
    const { id, username, token } = await service.user();
    const others = await times(4, () => service.logIn(username));
    const tokens = [token, ...others.map((other) => other.token)];
    const answers = await Promise.all(
      tokens.map((each, i) => changePassword(each, PASSWORD, `${OTHER_PASSWORD} ${i}`)),
    );
    const winners = tokens.filter((_, i) => answers[i]?.status === 200);
    expect(winners).toHaveLength(1);
    for (const { status } of answers) expect([200, 401, 403]).toContain(status);
    for (const each of tokens) {
      expect((await me(each)).status).toBe(winners.includes(each) ? 200 : 401);
    }
    expect(await count("SELECT count(*) FROM sessions WHERE user_id = ?", id)).toBe(1);
  });
});

test("log-ins that race a password change leave no session of the old password", async () => {
  let loggedIn = 0;
  for (let round = 0; round < 5; round++) {
    const { id, username, token } = await service.user();
    const before = times(4, () => logIn(username, PASSWORD));
    const changed = changePassword(token, PASSWORD, OTHER_PASSWORD);
    const behind = times(4, () => logIn(username, PASSWORD));
    expect((await changed).status).toBe(200);
    const answers = [...(await before), ...(await behind)];
    for (const { status } of answers) expect([200, 401]).toContain(status);
    const granted = answers.filter(({ ok }) => ok);
    loggedIn += granted.length;
    for (const answer of granted) {
      const { access_token, refresh_token } = await answer.json();
      expect((await me(access_token)).status).toBe(401);
      expect((await refresh(refresh_token)).status).toBe(401);
    }
    expect(await count("SELECT count(*) FROM sessions WHERE user_id = ?", id)).toBe(1);
    expect((await me(token)).status).toBe(200);
  }
  // Otherwise the rounds would have shown nothing.
  expect(loggedIn).toBeGreaterThan(0);
});

test("deletion of the user beside log-ins and new todos leaves nothing of them", async () => {
  const { id, username, token } = await service.user();
  const answers = Promise.all([
    ...Array.from({ length: 4 }, () => logIn(username, PASSWORD)),
    ...Array.from({ length: 20 }, () =>
      service.call("POST", "/todos", { token, json: { contents: "racing" } }),
    ),
  ]);
  const deleted = await service.call("DELETE", "/users/me", {
    token,
    json: { password: PASSWORD },
  });
  expect(deleted.status).toBe(204);
  for (const { status } of await answers) expect([200, 201, 401]).toContain(status);
  for (const table of ["sessions", "todos"]) {
    expect(await count(`SELECT count(*) FROM ${table} WHERE user_id = ?`, id)).toBe(0);
  }
});

test("changes of one todo at once: each is answered as it was made, and the last one stands", async () => {
  const { token } = await shared();
  const added = await service.call("POST", "/todos", { token, json: { contents: "0" } });
  const { id } = await added.json();
  const path = `/todos/${id}`;
  const answers = await times(20, async (i) => {
    const response = await service.call("PATCH", path, {
      token,
      json: { contents: `version ${i}` },
    });
    return response.json();
  });
  expect(answers.map(({ contents }) => contents)).toEqual(answers.map((_, i) => `version ${i}`));
  expect(answers).toContainEqual(await (await service.call("GET", path, { token })).json());
});

test("deletions of one todo at once: one deletes it, the others find it gone", async () => {
  const { token } = await shared();
  const added = await service.call("POST", "/todos", { token, json: { contents: "x" } });
  const path = added.headers.get("location") ?? "";
  const answers = await times(10, () => service.call("DELETE", path, { token }));
  expect(tally(answers)).toEqual({ 204: 1, 404: 9 });
});
