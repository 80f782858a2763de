/** Bodies in many pieces: how many pieces are accepted, and that the body is read completely. */
import { describe, expect, test } from "bun:test";
import { readJson } from "../../src/http/body.ts";

const JSON_BODY = '{"contents":"우유를 산다"}';

/** A request whose body arrives in pieces of one byte: `text`, padded with white space. */
function inPieces(text: string, pieces: number): Request {
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array(pieces).fill(0x20);
  padded.set(bytes);
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent === pieces) controller.close();
      else controller.enqueue(padded.subarray(sent, ++sent));
    },
  });
  const headers = { "content-type": "application/json" };
  return new Request("http://localhost/", { method: "POST", headers, body });
}

describe("a body", () => {
  test("in 1,024 pieces is read whole", async () => {
    expect(await readJson(inPieces(JSON_BODY, 1024))).toEqual(JSON.parse(JSON_BODY));
  });

  test("in 1,025 pieces is too large", async () => {
    await expect(readJson(inPieces(JSON_BODY, 1025))).rejects.toMatchObject({
      code: "body_too_large",
    });
  });

  test("in pieces of growing sizes is read whole", async () => {
    const contents = "ab".repeat(30_000);
    const bytes = new TextEncoder().encode(JSON.stringify({ contents }));
    let start = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const end = Math.min(bytes.length, 2 * start + 1);
        controller.enqueue(bytes.subarray(start, end));
        start = end;
        if (end === bytes.length) controller.close();
      },
    });
    const headers = { "content-type": "application/json; charset=utf-8" };
    const request = new Request("http://localhost/", { method: "POST", headers, body });
    expect(await readJson(request)).toEqual({ contents });
  });
});
