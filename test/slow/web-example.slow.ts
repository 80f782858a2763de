/**
 * The example app in a real browser: what people do in it, with the mouse, the keyboard and a finger, in two windows,
 * and offline. `SCREENSHOT=docs/web.png` renews the picture of it in the READMEs.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { launch, temporaryFolder } from "../process.ts";
import { callsTo, PASSWORD } from "../service.ts";
import { freePort } from "../sqld.ts";
import { type Colour, contrast, luminance } from "./contrast.ts";

const ROOT = join(import.meta.dir, "../..");
const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";

const folder = temporaryFolder();
let example: ReturnType<typeof launch>;
let service: ReturnType<typeof callsTo>;
let url: string;
let browser: Browser;
beforeAll(async () => {
  if (!existsSync(CHROMIUM)) {
    throw new Error(
      `This needs Chromium at ${CHROMIUM}: install it (apt-get install chromium), or say by CHROMIUM where it is.`,
    );
  }
  const port = await freePort();
  const environment = {
    PATH: process.env.PATH ?? "",
    PORT: String(port),
    WEB_PORT: String(await freePort()),
    DATABASE_URL: `file:${join(folder.path, "todos.db")}`,
    SIGN_UPS_PER_HOUR: "0",
  };
  example = launch(ROOT, environment, [process.execPath, "run", "example"]);
  const [, address] = await example.line(/The todo app is at (\S+)/);
  url = address ?? "";
  service = callsTo(`http://127.0.0.1:${port}`);
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    // No sandbox, since containers run as root; and no requests of the browser's own.
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });
}, 60_000);
afterAll(async () => {
  await browser?.close();
  // It starts another process, which ends with it.
  example?.kill("SIGTERM");
  await example?.ended;
  folder[Symbol.dispose]();
});

const devices: BrowserContext[] = [];
afterEach(async () => {
  for (const device of devices.splice(0)) await device.close();
});

/** In CSS pixels. */
const DESKTOP = { width: 1100, height: 720 };
const PHONE = { width: 390, height: 844 };

type Options = Parameters<Browser["newContext"]>[0];

/** A separate browser with an empty store. `complaints` collects its errors about the app. */
async function openDevice(options: Options = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, locale: "en-US", ...options });
  devices.push(context);
  const complaints: string[] = [];
  const requests: string[] = [];
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(error.error().message));
  context.on("request", (request) => requests.push(request.url()));
  return { context, complaints, requests, open: () => openWindow(context) };
}

async function openWindow(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** A device on which `username` is logged in. */
async function openFor(username: string, options?: Options) {
  const device = await openDevice(options);
  const page = await device.open();
  await logIn(page, username);
  return { ...device, page };
}

async function logIn(page: Page, username: string, password = PASSWORD): Promise<void> {
  await page.getByLabel("User name").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

const openTodos = (page: Page) => page.getByRole("list", { name: "Open todos" });
const contentsIn = (page: Page) => openTodos(page).locator(".contents").allInnerTexts();
const todoIn = (page: Page, contents: string) =>
  page.getByRole("listitem").filter({ has: page.getByText(contents, { exact: true }) });
const tick = (page: Page, contents: string) =>
  page.getByRole("checkbox", { name: `Done: ${contents}` }).click();
const edit = (page: Page, contents: string) =>
  page.locator(".text").getByText(contents, { exact: true }).click();
const undo = (page: Page) => page.getByRole("button", { name: "Undo" }).click();
const saved = (page: Page) => page.getByText("Up to date").waitFor();
const goTo = (page: Page, name: string) =>
  page.getByRole("link", { name: new RegExp(`^${name}`) }).click();

async function add(page: Page, ...todos: string[]): Promise<void> {
  for (const contents of todos) {
    await page.getByRole("textbox", { name: "Add a todo" }).fill(contents);
    await page.keyboard.press("Enter");
  }
}

async function addList(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name: "New list" }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Save" }).click();
}

/** Waits until a page shows exactly these open todos, in this order. */
async function shows(page: Page, ...contents: string[]): Promise<void> {
  const has = (expected: string) =>
    [...document.querySelectorAll(".todos[aria-label] .contents")]
      .map((each) => (each as HTMLElement).textContent)
      .join("\n") === expected;
  await page.waitForFunction(has, contents.join("\n")).catch(async () => {
    expect(await contentsIn(page)).toEqual(contents);
  });
}

/**
 * The service's data of a user, by position: lists by name, and todos as `list: contents`, where done ones are marked.
 */
async function kept(username: string): Promise<string[]> {
  const { token } = await service.logIn(username);
  const get = async (path: string) => (await service.call("GET", path, { token })).json();
  const { lists } = await get("/lists");
  const { todos } = await get("/todos?sort=position&limit=100");
  const names = new Map<number | null, string>([[null, "Inbox"]]);
  for (const { id, name } of lists) names.set(id, name);
  return todos.map(
    (todo: { list_id: number | null; contents: string; is_done: boolean }) =>
      `${names.get(todo.list_id)}: ${todo.contents}${todo.is_done ? " ✓" : ""}`,
  );
}

/** `2026-12-01`, this number of days from now, in the browser's time zone. */
function dayFromNow(days: number): string {
  const date = new Date();
  date.setDate(date.getDate() + days);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

test("opens from its own files, talks to the service alone, and says what is wrong with a log-in", async () => {
  const { open, complaints, requests } = await openDevice();
  const page = await open();
  await logIn(page, "nobody", "wrong horse battery");
  await page.getByRole("alert").getByText(/\w/).waitFor();
  // The browser reports each answer that is not a success.
  expect(complaints.splice(0).join()).toContain("401");

  await page.getByRole("button", { name: "Create an account" }).click();
  await page.getByLabel("User name").fill("a b");
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Sign up" }).click();
  const username = page.getByLabel("User name");
  await page.locator("#username-error:not(:empty)").waitFor();
  expect(await username.getAttribute("aria-invalid")).toBe("true");
  await page.waitForFunction(() => document.activeElement?.id === "username");
  expect(complaints.splice(0).join()).toContain("422");

  await username.fill("opens");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign up" }).click();
  await add(page, "Buy milk");
  await saved(page);
  expect(await kept("opens")).toEqual(["Inbox: Buy milk"]);
  const origins = new Set(requests.map((request) => new URL(request).port));
  expect(origins.size).toBe(2);
  expect(complaints).toEqual([]);
  await page.evaluate("fetch('http://127.0.0.1:9/').catch(() => {})");
  await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">')");
  expect(complaints.join()).toContain("connect-src");
  expect(complaints.join()).toContain("style-src");
});

test("lists, due dates, notes, ticking off, deleting, undo and search", async () => {
  await service.user("walker");
  const { page, complaints } = await openFor("walker");
  await add(page, "Buy milk", "Pay the rent");
  await page.getByLabel("Due date of the new todo").fill(dayFromNow(1));
  await add(page, "Write to Jiho");
  expect(await todoIn(page, "Write to Jiho").textContent()).toContain("Tomorrow");

  // All fields of a todo.
  await edit(page, "Pay the rent");
  await page.getByLabel("Notes").fill("By transfer");
  await page.getByLabel("Due", { exact: true }).fill(dayFromNow(-1));
  await page.getByRole("button", { name: "Save" }).click();
  const rent = await todoIn(page, "Pay the rent").textContent();
  expect(rent).toContain("By transfer");
  expect(rent).toContain("Yesterday");
  await goTo(page, "Today");
  await shows(page, "Pay the rent");
  await goTo(page, "Inbox");

  await addList(page, "Letters");
  await page.getByRole("heading", { name: "Letters" }).waitFor();
  await add(page, "To Haruto");
  await saved(page);
  // The address still shows the same view.
  await page.reload();
  await page.getByRole("heading", { name: "Letters" }).waitFor();
  await shows(page, "To Haruto");
  await goTo(page, "Inbox");
  await edit(page, "Write to Jiho");
  await page.getByRole("combobox", { name: "List" }).selectOption("Letters");
  await page.getByRole("button", { name: "Save" }).click();
  await shows(page, "Buy milk", "Pay the rent");

  await tick(page, "Buy milk");
  await shows(page, "Pay the rent");
  await undo(page);
  await shows(page, "Buy milk", "Pay the rent");
  await edit(page, "Buy milk");
  await page.getByRole("button", { name: "Delete" }).click();
  await shows(page, "Pay the rent");
  await page.keyboard.press("Control+z");
  await shows(page, "Buy milk", "Pay the rent");

  // In all lists, in upper or lower case, and in the notes.
  const search = page.getByRole("searchbox", { name: "Search all todos" });
  await search.fill("TO ");
  await shows(page, "To Haruto", "Write to Jiho");
  await search.fill("ｔransfer");
  await shows(page, "Pay the rent");
  await search.fill("");

  // A restored list has its todos again, in their order.
  await goTo(page, "Letters");
  await shows(page, "To Haruto", "Write to Jiho");
  await page.getByRole("button", { name: "Edit list" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("heading", { name: "Inbox" }).waitFor();
  await saved(page);
  expect(await kept("walker")).toEqual(["Inbox: Buy milk", "Inbox: Pay the rent"]);
  await undo(page);
  await page.getByRole("heading", { name: "Letters" }).waitFor();
  await shows(page, "To Haruto", "Write to Jiho");
  await saved(page);
  expect(complaints).toEqual([]);
  const expected = ["To Haruto", "Write to Jiho"].map((contents) => `Letters: ${contents}`);
  expect((await kept("walker")).filter((each) => each.startsWith("Letters"))).toEqual(expected);
});

test("a repeating todo that is done has no undo, since the next one is already there", async () => {
  await service.user("repeater");
  const { token } = await service.logIn("repeater");
  const repeat = { every: 1, unit: "day", from: "due" };
  const json = { contents: "Water the plants", due: { date: dayFromNow(0) }, repeat };
  await service.call("POST", "/todos", { token, json });
  const { page } = await openFor("repeater");
  await shows(page, "Water the plants");
  await tick(page, "Water the plants");
  await page.getByText("“Water the plants” is done.").waitFor();
  expect(await page.getByRole("button", { name: "Undo" }).count()).toBe(0);
  await page.keyboard.press("Control+z");
  await page.getByText("Tomorrow").waitFor();
  await saved(page);
  expect((await kept("repeater")).toSorted()).toEqual([
    "Inbox: Water the plants",
    "Inbox: Water the plants ✓",
  ]);
});

const pointers: [what: string, options: Options][] = [
  ["a mouse", {}],
  ["a finger", { viewport: PHONE, hasTouch: true, isMobile: true }],
];
test.each(pointers)("a todo is dragged to its place with %s", async (what, options) => {
  const username = what.replace(" ", "-");
  await service.user(username);
  const { page, context } = await openFor(username, options);
  await add(page, "one", "two", "three", "four");
  await shows(page, "one", "two", "three", "four");
  const middleOf = async (contents: string) => {
    const grip = todoIn(page, contents).getByRole("button", { name: "Move" });
    const box = await grip.boundingBox();
    if (!box) throw new Error("no grip");
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  };
  const [from, to] = [await middleOf("four"), await middleOf("one")];
  if (options?.hasTouch) {
    const touch = await context.newCDPSession(page);
    const send = (
      type: "touchStart" | "touchMove" | "touchEnd",
      points: { x: number; y: number }[],
    ) => touch.send("Input.dispatchTouchEvent", { type, touchPoints: points });
    await send("touchStart", [from]);
    await send("touchMove", [{ x: from.x, y: (from.y + to.y) / 2 }]);
    await send("touchMove", [{ x: to.x, y: to.y - 8 }]);
    await send("touchEnd", []);
  } else {
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(from.x, (from.y + to.y) / 2, { steps: 4 });
    await page.mouse.move(to.x, to.y - 8, { steps: 4 });
    await page.mouse.up();
  }
  await shows(page, "four", "one", "two", "three");
  await saved(page);
  expect((await kept(username)).map((each) => each.slice(7))).toEqual([
    "four",
    "one",
    "two",
    "three",
  ]);
  await undo(page);
  await shows(page, "one", "two", "three", "four");
});

test("everything can be done with the keyboard, and the focus is never lost", async () => {
  const { open } = await openDevice();
  const page = await open();
  const { keyboard } = page;
  const focused = () =>
    page.evaluate(() => {
      const at = document.activeElement;
      return at?.getAttribute("aria-label") ?? at?.textContent;
    });
  /** Presses the tab key until the element with this name has the focus. */
  async function tabTo(name: string, key = "Tab") {
    for (let i = 0; i < 40; i++) {
      await keyboard.press(key);
      if ((await focused())?.startsWith(name)) return;
    }
    throw new Error(`The tab key does not reach ${name}`);
  }
  await tabTo("Create an account");
  await keyboard.press("Enter");
  for (const text of [PASSWORD, "keys"]) {
    await keyboard.press("Shift+Tab");
    // The other button is between the two buttons and the fields.
    if (text === PASSWORD) await keyboard.press("Shift+Tab");
    await keyboard.type(text);
  }
  await keyboard.press("Enter");
  await openTodos(page).waitFor({ state: "attached" });

  await tabTo("Add a todo");
  for (const contents of ["one", "two", "three"]) {
    await keyboard.type(contents);
    await keyboard.press("Enter");
  }
  await shows(page, "one", "two", "three");

  await tabTo("Move “one”");
  await keyboard.press("ArrowDown");
  await keyboard.press("ArrowDown");
  await shows(page, "two", "three", "one");
  expect(await page.getByRole("status").last().textContent()).toBe("“one” is now 3 of 3.");
  await page.waitForFunction(() =>
    document.activeElement?.getAttribute("aria-label")?.startsWith("Move “one”"),
  );
  await keyboard.press("ArrowUp");
  await shows(page, "two", "one", "three");

  await tabTo("Done: three");
  await keyboard.press("Space");
  await shows(page, "two", "one");
  expect(await focused()).toBe("Done: one");
  await keyboard.press("Control+z");
  await shows(page, "two", "one", "three");

  await tabTo("two", "Shift+Tab");
  await keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Edit todo" }).waitFor();
  await keyboard.type(" and a half");
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  // Escape changes nothing, and the focus returns to where it was.
  expect(await focused()).toBe("two");
  await keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Edit todo" }).waitFor();
  await keyboard.press("End");
  await keyboard.type(" and a half");
  await keyboard.press("Enter");
  await shows(page, "two and a half", "one", "three");

  await tabTo("Today", "Shift+Tab");
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: "Today" }).waitFor();
  await page.waitForFunction(() => document.activeElement?.tagName === "H1");
  await saved(page);
  expect(await kept("keys")).toEqual(["Inbox: two and a half", "Inbox: one", "Inbox: three"]);
});

test("what one window changes, the other shows, on this device and on another", async () => {
  await service.user("live");
  const { page: one, open } = await openFor("live");
  const two = await open();
  const { page: three } = await openFor("live");
  await add(one, "Buy milk");
  for (const page of [two, three]) await shows(page, "Buy milk");
  await add(three, "Buy bread");
  await tick(two, "Buy milk");
  for (const page of [one, two, three]) await shows(page, "Buy bread");
  // A text that the user is just writing stays as it is.
  await one.getByRole("textbox", { name: "Add a todo" }).fill("Half a th");
  await addList(two, "Shared");
  await one.getByRole("link", { name: "Shared" }).waitFor();
  expect(await one.getByRole("textbox", { name: "Add a todo" }).inputValue()).toBe("Half a th");
});

test("two windows, one of them offline: both change things, and both end equal", async () => {
  await service.user("apart");
  const { page: here } = await openFor("apart");
  const { page: away, context } = await openFor("apart");
  await addList(here, "Garden");
  await goTo(here, "Inbox");
  await add(here, "one", "two", "three");
  await shows(away, "one", "two", "three");
  await context.setOffline(true);

  await add(away, "written offline");
  await tick(away, "one");
  await edit(away, "two");
  await away.getByLabel("Notes").fill("noted offline");
  await away.getByRole("button", { name: "Save" }).click();
  await todoIn(away, "three").getByRole("button", { name: "Move" }).press("ArrowUp");
  await away.getByText("Offline,").waitFor();

  await add(here, "written online");
  await edit(here, "two");
  await here.getByLabel("What").fill("two, renamed online");
  await here.getByRole("button", { name: "Save" }).click();
  await edit(here, "one");
  await here.getByRole("combobox", { name: "List" }).selectOption("Garden");
  await here.getByRole("button", { name: "Save" }).click();
  await saved(here);
  await shows(away, "three", "two", "written offline");

  await context.setOffline(false);
  const expected = ["three", "two, renamed online", "written online", "written offline"];
  for (const page of [here, away]) {
    await shows(page, ...expected);
    await saved(page);
    expect(await todoIn(page, "two, renamed online").textContent()).toContain("noted offline");
    await goTo(page, "Garden");
    await page.getByText("Done (1)").waitFor();
  }
  expect((await kept("apart")).toSorted()).toEqual(
    [...expected.map((contents) => `Inbox: ${contents}`), "Garden: one ✓"].toSorted(),
  );
});

test("closed while offline and opened again, still offline, nothing is lost", async () => {
  await service.user("closed");
  const { page, context, open } = await openFor("closed");
  await add(page, "before");
  await saved(page);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await context.setOffline(true);
  await add(page, "written offline");
  await tick(page, "before");
  await page.close();

  const again = await open();
  await shows(again, "written offline");
  await add(again, "and more");
  await again.getByText(/^Offline, \d changes wait/).waitFor();
  await again.close();

  await context.setOffline(false);
  const last = await open();
  await saved(last);
  await shows(last, "written offline", "and more");
  expect(await kept("closed")).toEqual([
    "Inbox: before ✓",
    "Inbox: written offline",
    "Inbox: and more",
  ]);
});

test("a log-out leaves nothing in the browser, and another user sees nothing of the first", async () => {
  await service.user("first");
  await service.user("second");
  const { page, open } = await openFor("first");
  const other = await open();
  await add(page, "secret");
  await saved(page);
  await shows(other, "secret");
  await page.getByRole("button", { name: "Log out" }).click();
  for (const each of [page, other]) await each.getByRole("button", { name: "Log in" }).waitFor();
  const left = await page.evaluate(
    () =>
      new Promise<unknown[]>((resolve) => {
        indexedDB.open("todos").onsuccess = ({ target }) => {
          const { result } = target as IDBOpenDBRequest;
          const rows = result.transaction("entries").objectStore("entries").getAll();
          rows.onsuccess = () => resolve([...rows.result, localStorage.getItem("tokens")]);
        };
      }),
  );
  expect(left).toEqual(["null"]);
  await logIn(page, "second");
  await page.getByText("Write down what is on your mind").waitFor();
  // The other window does the same.
  await other.getByText("Write down what is on your mind").waitFor();
});

test("a log-out that the service refuses says so", async () => {
  await service.user("stayer");
  const { page, context } = await openFor("stayer");
  await context.route("**/users/log-out", (route) =>
    route.fulfill({
      status: 503,
      contentType: "application/problem+json",
      headers: { "access-control-allow-origin": "*" },
      body: JSON.stringify({ code: "unavailable", detail: "Please try again later." }),
    }),
  );
  await saved(page);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByText("Please try again later.").waitFor();
  await context.unroute("**/users/log-out");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("button", { name: "Log in" }).waitFor();
});

test.each(["light", "dark"] as const)("is readable and fits a phone, %s", async (colorScheme) => {
  await service.user(`reader-${colorScheme}`);
  const { page } = await openFor(`reader-${colorScheme}`, { colorScheme, viewport: PHONE });
  await page.getByLabel("Due date of the new todo").fill(dayFromNow(-1));
  await add(page, `A long word: ${"w".repeat(80)}`, "two");
  await edit(page, "two");
  await page.getByLabel("Notes").fill("a note");
  await page.getByRole("button", { name: "Save" }).click();
  await tick(page, "two");
  // The page does not have to be scrolled sideways, and the targets are large enough for a finger.
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
  for (const button of await page.locator("button:visible, a:visible").all()) {
    const box = await button.boundingBox();
    expect(box?.height).toBeGreaterThanOrEqual(40);
  }
  const places = [
    ".brand",
    ".way .name",
    ".way[aria-current] .name",
    ".count",
    ".status",
    ".quiet",
    "h1",
    ".primary",
    ".contents",
    ".overdue",
    "summary",
    ".notices p",
    ".notices button",
  ];
  for (const place of places) {
    const [text, ground] = await page.locator(place).first().evaluate(coloursOf);
    // WCAG 2.2 requires 4.5 to 1 (1.4.3).
    expect([place, contrast(text, ground) > 4.5]).toEqual([place, true]);
  }
  const [, ground] = await page.locator("h1").evaluate(coloursOf);
  expect(luminance(ground) > 0.5).toBe(colorScheme === "light");
});

test("looks as the READMEs show it", async () => {
  await service.user("mina");
  const { page } = await openFor("mina");
  for (const list of ["Home", "Letters", "Garden"]) await addList(page, list);
  await add(page, "Ask Jiho for cuttings of the blue hydrangea");
  await goTo(page, "Inbox");
  await add(page, "Buy milk", "Pay the rent", "Return the library books");
  for (const [contents, days] of [
    ["Water the plants", 0],
    ["Write to Haruto", 1],
    ["Find a present that fits into a letter", 9],
  ] as const) {
    await page.getByLabel("Due date of the new todo").fill(dayFromNow(days));
    await add(page, contents);
  }
  await edit(page, "Pay the rent");
  await page.getByLabel("Notes").fill("By transfer, from the other account");
  await page.getByLabel("Due", { exact: true }).fill(dayFromNow(-1));
  await page.getByRole("button", { name: "Save" }).click();
  await tick(page, "Return the library books");
  await saved(page);
  const path = process.env.SCREENSHOT || join(folder.path, "web.png");
  await page.screenshot({ path });
  const { size } = Bun.file(path);
  expect(size).toBeGreaterThan(20_000);
  expect(size).toBeLessThan(200_000);
});

/** The color of an element's text, and of its background. Runs in the page. */
function coloursOf(element: Element): [text: Colour, ground: Colour] {
  const canvas = document.createElement("canvas").getContext("2d");
  /** In any notation: the color that the browser paints. */
  const painted = (css: string): [Colour, alpha: number] => {
    if (!canvas) throw new Error("no canvas");
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    const [red = 0, green = 0, blue = 0, alpha = 0] = canvas.getImageData(0, 0, 1, 1).data;
    return [[red, green, blue], alpha];
  };
  const [text] = painted(getComputedStyle(element).color);
  for (let at: Element | null = element; at; at = at.parentElement) {
    const [ground, alpha] = painted(getComputedStyle(at).backgroundColor);
    if (alpha === 255) return [text, ground];
  }
  return [text, [255, 255, 255]];
}
