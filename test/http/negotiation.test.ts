/** `GET /`: a browser is redirected to the docs page, and every other client gets an answer. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Service, startService } from "../service.ts";
import { expectEveryAnswerHeaders } from "./answers.ts";

const ORIGIN = "https://todos.example";

let service: Service;
beforeAll(async () => {
  service = await startService({ CORS_ORIGINS: ORIGIN });
});
afterAll(() => service.stop());

const get = (accept: string, method = "GET") =>
  fetch(`${service.url}/`, { method, redirect: "manual", headers: { accept, origin: ORIGIN } });

test.each([
  ["Firefox", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
  ["Safari", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
  ["one that takes JSON too", "application/json;q=0.9, Text/HTML"],
  ["one that takes any text", "text/*, application/json;q=0.5"],
  ["one that takes anything but likes HTML", "text/html, */*;q=0.2"],
])("%s is sent to the docs page", async (_who, accept) => {
  for (const method of ["GET", "HEAD"]) {
    const answer = await get(accept, method);
    expect([answer.status, answer.headers.get("location")]).toEqual([302, "/swagger"]);
    expect(answer.headers.get("vary")).toBe("Origin, Accept");
    expectEveryAnswerHeaders(answer);
  }
});

test.each([
  ["curl", "*/*"],
  ["a program", "application/json"],
  ["one that takes either", "text/html, application/json"],
  ["one that would rather have JSON", "text/html;q=0.8, application/json;q=0.9"],
  ["one that would rather have anything else", "text/html;q=0.1, */*;q=0.5"],
  ["one that refuses HTML", "text/html;q=0, */*"],
  ["one that sends nonsense", ";;q=,text"],
  ["one that sends nothing", ""],
])("%s is answered", async (_who, accept) => {
  const answer = await get(accept);
  expect([answer.status, await answer.json()]).toEqual([200, { ping: "pong" }]);
  expect(answer.headers.get("vary")).toBe("Origin, Accept");
});
