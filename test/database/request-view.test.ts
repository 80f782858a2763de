/** The state that one request has seen, and the state that its client had seen before. */
import { expect, test } from "bun:test";
import { createRequestView } from "../../src/database/request-view.ts";

test("a view begins where its client is, and goes on with what it sees", () => {
  const view = createRequestView({ count: 5 }, true);
  expect(view.seen().count).toBe(5);
  view.sawReplica({ count: 7, index: 70 });
  view.sawReplica({ count: 6, index: 60 });
  expect(view.seen()).toEqual({ count: 7, index: 70 });
  view.sawPrimary({ count: 9 });
  expect(view.seen().count).toBe(9);
});

test("a view tells whether a replica has answered", () => {
  const view = createRequestView({ count: 5 }, true);
  view.sawPrimary({ count: 6 });
  expect(view.hasSeenReplica()).toBe(false);
  view.sawReplica({ count: 6 });
  expect(view.hasSeenReplica()).toBe(true);
});

test("a view forgets what its client has seen, when the primary has never been there", () => {
  const view = createRequestView({ count: 1_000_000 }, true);
  view.sawReplica({ count: 2 });
  view.sawPrimary({ count: 3 });
  expect(view.seen().count).toBe(3);
});
