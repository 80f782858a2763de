/**
 * The page at `/swagger`, in Chromium: what a person does there, in the light and the dark theme.
 * `SCREENSHOT=docs/swagger.png` renews the README's picture of it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { operationOf as describedOperation, operationsOf, readDocument } from "../docs/document.ts";
import { PASSWORD, type Service, startService } from "../service.ts";
import { type Colour, contrast, luminance } from "./contrast.ts";

const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";
/** Statuses that any operation may answer with. The page's introduction describes them. */
const COMMON = ["421", "500", "503"];
const BODY = "textarea.body-param__text";

let service: Service;
let browser: Browser;
let folder: string;
beforeAll(async () => {
  if (!existsSync(CHROMIUM)) {
    throw new Error(
      `This needs Chromium at ${CHROMIUM}: install it (apt-get install chromium), or say by CHROMIUM where it is.`,
    );
  }
  folder = mkdtempSync(join(tmpdir(), "swagger-"));
  service = await startService();
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    // No sandbox, since containers run as root; and no requests of the browser's own.
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await service?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** In CSS pixels. */
const DESKTOP = { width: 1200, height: 1050 };
const PHONE = { width: 390, height: 844 };

/** Opens the page. `complaints` collects the browser's errors, such as a breach of its policy. */
async function openPage(colorScheme: "light" | "dark" = "light", viewport = DESKTOP) {
  const context = await browser.newContext({ colorScheme, viewport });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(`${service.url}/swagger`);
  await page.locator("#operations-Todos-createTodo").waitFor();
  return { page, complaints, requests, [Symbol.asyncDispose]: () => context.close() };
}

/** The part of the Authorize dialog for a user name and a password. */
async function openAuthorize(page: Page) {
  await page.locator(".auth-wrapper .authorize").click();
  return page.locator(".auth-container", { hasText: "Token URL" });
}

const closeDialog = (page: Page) => page.locator(".modal-ux .close-modal").click();

async function authorize(page: Page, username: string): Promise<void> {
  const form = await openAuthorize(page);
  await form.locator("#oauth_username").fill(username);
  await form.locator("#oauth_password").fill(PASSWORD);
  await form.getByRole("button", { name: "Apply given OAuth2 credentials" }).click();
  await form.getByRole("button", { name: "Remove authorization" }).waitFor();
  await closeDialog(page);
}

async function logOut(page: Page): Promise<void> {
  const form = await openAuthorize(page);
  await form.getByRole("button", { name: "Remove authorization" }).click();
  await closeDialog(page);
}

const operationOf = (page: Page, operationId: string) => page.locator(`[id$="-${operationId}"]`);

/** Executes an operation of the page, and reads the answer that the page shows. */
async function execute(page: Page, operationId: string, body?: string) {
  const operation = operationOf(page, operationId);
  if (!(await operation.locator(".opblock-body").isVisible())) {
    await operation.locator(".opblock-summary-control").click();
  }
  if (body !== undefined) await operation.locator(BODY).fill(body);
  // So that no earlier answer is read below.
  const clear = operation.locator("button.btn-clear");
  if (await clear.isVisible()) await clear.click();
  await operation.locator("button.execute").click();
  const live = operation.locator(".live-responses-table .response");
  const status = await live.locator(".response-col_status").textContent();
  const text = await live.locator(".highlight-code").first().textContent();
  return { status: Number.parseInt(status ?? "", 10), text };
}

test("opens from its own service alone, without an error or a breach of its policy", async () => {
  await using opened = await openPage();
  const { page, complaints, requests } = opened;
  expect(await page.title()).toBe("Todos API");
  const { tags } = await readDocument(service);
  const groups = await page.locator(".opblock-tag > a").allInnerTexts();
  expect(groups).toEqual(tags.map(({ name }) => name));
  for (const id of ["signUp", "logIn", "sendEmailOtp", "listTodos", "isReady"]) {
    await operationOf(page, id).locator(".opblock-summary-control").click();
  }
  expect(requests.filter((url) => !url.startsWith(`${service.url}/swagger`))).toEqual([]);
  expect(complaints).toEqual([]);
  await page.evaluate("fetch('http://127.0.0.1:9/').catch(() => {})");
  expect(complaints.join()).toContain("Content Security Policy");
});

test("lets a person log in by Authorize, add a todo, see it, err, and log out", async () => {
  await using opened = await openPage();
  const { page, complaints, requests } = opened;
  const { username } = await service.user();
  await authorize(page, username);
  expect(requests.at(-1)).toBe(`${service.url}/token`);

  const added = await execute(page, "createTodo", '{ "contents": "Water the plants 🪴" }');
  expect(added).toMatchObject({
    status: 201,
    text: expect.stringContaining("Water the plants 🪴"),
  });
  const listed = await execute(page, "listTodos");
  expect(listed).toMatchObject({
    status: 200,
    text: expect.stringContaining("Water the plants 🪴"),
  });
  expect(complaints).toEqual([]);

  const wrong = await execute(page, "createTodo", '{ "contents": "" }');
  expect(wrong.status).toBe(422);
  expect(wrong.text).toContain('"pointer": "/contents"');

  await logOut(page);
  const refused = await execute(page, "listTodos");
  expect(refused).toMatchObject({ status: 401, text: expect.stringContaining("unauthorized") });
});

test("takes the examples of the walk as they are filled in", async () => {
  await using opened = await openPage();
  const { page } = opened;
  expect((await execute(page, "signUp")).status).toBe(201);
  await authorize(page, "mina");
  expect((await execute(page, "createTodo")).status).toBe(201);
});

test("remembers the access token over a reload, but neither the password nor the refresh token", async () => {
  await using opened = await openPage();
  const { page } = opened;
  const { username } = await service.user();
  await authorize(page, username);
  await page.reload();
  expect((await execute(page, "listTodos")).status).toBe(200);
  const kept = await page.evaluate("JSON.stringify({ ...localStorage })");
  expect(kept).toContain("access_token");
  expect(kept).not.toContain("refresh_token");
  expect(kept).not.toContain(PASSWORD);
  await logOut(page);
  await page.reload();
  expect((await execute(page, "listTodos")).status).toBe(401);
});

test("shows each error of an operation in a line, and its example when asked", async () => {
  await using opened = await openPage();
  const { page } = opened;
  const operation = operationOf(page, "createTodo");
  await operation.locator(".opblock-summary-control").click();
  const described = operationsOf(await readDocument(service));
  const { responses } = describedOperation(described, "createTodo");
  const special = Object.keys(responses).filter((each) => !COMMON.includes(each));
  expect(special).toContainValues(["201", "401", "422"]);
  const statuses = operation.locator(".responses-table .response .response-col_status");
  await expectTexts(statuses, special);
  // It was 5,000 pixels tall when every error was shown in full.
  expect((await operation.boundingBox())?.height).toBeLessThan(2000);
  const invalid = operation.locator(".error-toggle", { hasText: "Some values are not valid" });
  await invalid.click();
  await operation.getByText('"pointer": "/contents"').waitFor();
  await invalid.click();
  await operation.getByText('"pointer": "/contents"').waitFor({ state: "detached" });
  // The introduction describes the answers that every operation may give. Those of this operation must be shown.
  expect(await page.locator(".info").textContent()).toContain("503 unavailable");
  const ready = operationOf(page, "isReady");
  await ready.locator(".opblock-summary-control").click();
  await expectTexts(ready.locator(".responses-table .response-col_status"), ["Code", "200", "503"]);
});

test("gives each request as commands, filters the operations, and gives the document to keep", async () => {
  await using opened = await openPage();
  const { page, complaints } = opened;
  expect((await execute(page, "ping")).status).toBe(200);
  const snippets = await page.locator(".request-snippets").textContent();
  expect(snippets).toContain("cURL (PowerShell)");
  expect(snippets).toContain(`'${service.url}/'`);

  const downloading = page.waitForEvent("download");
  await page.getByText("Download the OpenAPI document").click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe("todos.openapi.json");
  const file = join(folder, "downloaded.json");
  await download.saveAs(file);
  const document = await (await service.call("GET", "/swagger/json")).text();
  expect(await Bun.file(file).text()).toBe(document);

  await page.locator(".operation-filter-input").fill("Todos");
  await operationOf(page, "signUp").waitFor({ state: "detached" });
  expect(await page.locator(".opblock-tag > a").allInnerTexts()).toEqual(["Todos"]);
  expect(complaints).toEqual([]);
});

test("loads its files once, and keeps them", async () => {
  await using opened = await openPage();
  const { page } = opened;
  const sizes = () =>
    page.evaluate<[string, number][]>(
      "performance.getEntriesByType('resource').map((each) => [new URL(each.name).pathname, each.transferSize])",
    );
  const first = await sizes();
  // Without compression these would be megabytes.
  expect(first.reduce((sum, [, size]) => sum + size, 0)).toBeLessThan(700_000);
  await page.goto("about:blank");
  await page.goto(`${service.url}/swagger`);
  await page.locator("#operations-Todos-createTodo").waitFor();
  const assets = (await sizes()).filter(([path]) => path.startsWith("/swagger/assets/"));
  expect(assets.map(([, size]) => size)).toEqual([0, 0, 0, 0]);
});

test.each(["light", "dark"] as const)("fits a phone, %s", async (colorScheme) => {
  await using opened = await openPage(colorScheme, PHONE);
  const { page } = opened;
  await operationOf(page, "updateTodo").locator(".opblock-summary-control").click();
  await operationOf(page, "updateTodo").locator(".execute").click();
  await operationOf(page, "updateTodo").locator(".live-responses-table").waitFor();
  // The page does not have to be scrolled sideways.
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
  for (const about of await page.locator(".opblock-tag small").all()) {
    // The text has a line or two of its own, and not one letter in each line.
    expect((await about.boundingBox())?.width).toBeGreaterThan(PHONE.width / 2);
  }
});

test.each([
  ["light", 1],
  ["dark", -1],
] as const)("is readable where the reader prefers it %s", async (colorScheme, sign) => {
  await using opened = await openPage(colorScheme);
  const { page } = opened;
  await page.locator("#operations-Todos-createTodo .opblock-summary-control").click();
  const places = [
    "body",
    ".info p",
    ".info code",
    ".opblock-tag",
    ".headers tbody .header-col",
    ".info__license",
    ".info a",
    ".error-toggle",
  ];
  for (const place of places) {
    const { text, ground } = await colours(page, place);
    // WCAG 2.2 requires 4.5 to 1 (1.4.3).
    expect([place, contrast(text, ground) > 4.5]).toEqual([place, true]);
    expect([place, Math.sign(luminance(ground) - 0.5)]).toEqual([place, sign]);
  }
});

test("looks as the README shows it", async () => {
  await using opened = await openPage();
  const { page } = opened;
  // So that the picture shows todos.
  for (const group of ["Users", "Sessions", "One-time_passwords"]) {
    await page.locator(`#operations-tag-${group}`).click();
  }
  const path = process.env.SCREENSHOT || join(folder, "swagger.png");
  await page.screenshot({ path });
  const size = Bun.file(path).size;
  expect(size).toBeGreaterThan(50_000);
  expect(size).toBeLessThan(200_000);
});

/** Asserts the texts of the elements that a locator finds, when all of them are there. */
async function expectTexts(locator: Locator, texts: string[]): Promise<void> {
  await locator.nth(texts.length - 1).waitFor();
  expect(await locator.allInnerTexts()).toEqual(texts);
}

/** The color of the text at `selector`, and of its background. */
async function colours(page: Page, selector: string): Promise<{ text: Colour; ground: Colour }> {
  const [text, ground] = await page
    .locator(selector)
    .first()
    .evaluate((element) => {
      const grounds: string[] = [];
      for (let at: Element | null = element; at; at = at.parentElement) {
        grounds.push(getComputedStyle(at).backgroundColor);
      }
      const opaque = grounds.find((colour) => !/, 0(\.\d+)?\)$/.test(colour));
      return [getComputedStyle(element).color, opaque ?? "rgb(255, 255, 255)"];
    });
  return { text: toColour(text), ground: toColour(ground) };
}

function toColour(css = ""): Colour {
  const [red = 0, green = 0, blue = 0] = (css.match(/[\d.]+/g) ?? []).map(Number);
  return [red, green, blue];
}
