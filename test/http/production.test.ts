/**
 * In production, answers are not checked against their schemas. Every kind of answer must be the same as in
 * development.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type CallOptions, PASSWORD, type Service, startService } from "../service.ts";
import { whole } from "./answers.ts";

let services: Service[];

beforeAll(async () => {
  services = await Promise.all([
    startService(),
    startService({ NODE_ENV: "production", MAIL_FROM: "todos@example.com" }),
  ]);
});
afterAll(() => Promise.all(services.map((service) => service.stop())));

const json = { username: "mina", password: PASSWORD };
const REQUESTS: [method: string, path: string, status: number, options?: CallOptions][] = [
  ["GET", "/", 200],
  ["HEAD", "/", 200],
  ["OPTIONS", "/todos", 204],
  ["GET", "/health/alive", 200],
  ["GET", "/health/ready", 200],
  ["GET", "/swagger/json", 200],
  ["POST", "/users/sign-up", 409, { json: { ...json, username: "taken" } }],
  ["GET", "/users/me", 200],
  ["GET", "/users/me/sessions", 200],
  ["POST", "/todos", 201, { json: { contents: "우유를 산다" } }],
  ["POST", "/todos", 201, { json: { contents: "Buy milk", is_done: true } }],
  ["POST", "/todos", 422, { json: { contents: "" } }],
  ["POST", "/todos", 400, { json: [] }],
  ["GET", "/todos", 200],
  ["GET", "/todos?limit=1&order=DESC", 200],
  ["GET", "/todos?limit=1&limit=1", 422],
  ["HEAD", "/todos/1", 200],
  ["GET", "/todos/1", 200],
  ["GET", "/todos/9", 404],
  ["PATCH", "/todos/1", 200, { json: { is_done: true } }],
  ["PATCH", "/todos/9", 404, { json: { is_done: true } }],
  ["DELETE", "/todos/1", 204],
  ["DELETE", "/todos/1", 404],
  ["POST", "/users/log-in", 401, { json: { ...json, password: "wrong horse" } }],
  ["PUT", "/users/me/password", 403, { json: { current_password: "x", new_password: "y0-4kz#p" } }],
  ["DELETE", "/users/me", 403, { json: { password: "wrong horse" } }],
  ["POST", "/token", 400, { body: new URLSearchParams({ grant_type: "none" }) }],
  ["PUT", "/todos", 405],
  ["GET", "/nowhere", 404],
  ["POST", "/users/log-out", 204],
  ["GET", "/todos", 401],
];

test("the same requests get the same answers", async () => {
  const start = Date.now();
  const walks = await Promise.all(
    services.map(async (service) => {
      service.stopClock();
      service.passSeconds((start - service.services.clock()) / 1000);
      await service.user("taken");
      const { token } = await service.user("mina");
      const answers = [];
      for (const [method, path, status, options] of REQUESTS) {
        const answer = await service.call(method, path, { token, ...options });
        expect(`${method} ${path} ${answer.status}`).toBe(`${method} ${path} ${status}`);
        answers.push(await whole(answer));
      }
      return answers;
    }),
  );
  const [development, production] = walks.map((answers) =>
    // The MAC of a cursor depends on the service's secret and the user, which are the same. The id of a session is
    // random.
    answers.map(({ body, ...rest }) => ({ ...rest, body: body.replace(/"id":"[\w-]{22}"/g, "") })),
  );
  expect(production).toEqual(development ?? []);
});
