/** Reads request bodies strictly. It checks the size, the media type, UTF-8 and the form, in this order. */
import { Failure } from "./problem.ts";

/** Maximum number of bytes in a body, unless its route takes more. */
const MAX_BODY = 64 * 1024;
/**
 * Maximum number of pieces in which a body may arrive. A piece of one byte costs the runtime far more than one byte.
 */
const MAX_PIECES = 1024;
const MAX_DEPTH = 32;

const JSON_TYPE = /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;
const FORM_TYPE = /^(application\/x-www-form-urlencoded|multipart\/form-data)\s*(;|$)/i;

/**
 * The JSON object in a request's body.
 * @param onText called with the text of the body
 * @param maxBody the maximum number of bytes
 * @throws Failure `body_too_large`, `unsupported_media_type`, `malformed_body`
 */
export async function readJson(
  request: Request,
  onText?: (text: string) => void,
  maxBody = MAX_BODY,
): Promise<object> {
  const text = decode(await readBytes(request, JSON_TYPE, maxBody));
  onText?.(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Failure("malformed_body");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Failure("malformed_body");
  }
  if (isDeeperThan(MAX_DEPTH, value)) throw new Failure("malformed_body");
  return value;
}

/**
 * The fields of a form, urlencoded or multipart. A field without a value counts as missing (RFC 6749 §3.2).
 * @throws Failure `body_too_large`, `unsupported_media_type`, `malformed_body` (also for a repeated field or a file)
 */
export async function readForm(request: Request): Promise<Map<string, string>> {
  const bytes = await readBytes(request, FORM_TYPE, MAX_BODY);
  const text = decode(bytes);
  const type = request.headers.get("content-type") ?? "";
  const fields = new Map<string, string>();
  try {
    const entries = /^multipart/i.test(type)
      ? await new Response(bytes, { headers: { "content-type": type } }).formData()
      : text
          .split("&")
          .filter((pair) => pair !== "")
          .map(splitPair);
    for (const [name, value] of entries) {
      if (fields.has(name) || typeof value !== "string") throw new Failure("malformed_body");
      fields.set(name, value);
    }
  } catch {
    throw new Failure("malformed_body");
  }
  return new Map(Array.from(fields).filter(([, value]) => value !== ""));
}

// URLSearchParams would silently replace bytes that are not UTF-8 with U+FFFD; decodeURIComponent throws.
function splitPair(pair: string): [string, string] {
  const [name = "", ...value] = pair.replaceAll("+", " ").split("=");
  return [decodeURIComponent(name), decodeURIComponent(value.join("="))];
}

async function readBytes(
  request: Request,
  mediaType: RegExp,
  maxBody: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(request.headers.get("content-length")) > maxBody) throw new Failure("body_too_large");
  const type = request.headers.get("content-type");
  if (type === null && !hasBody(request)) throw new Failure("malformed_body");
  if (!mediaType.test(type ?? "") || request.headers.has("content-encoding")) {
    throw new Failure("unsupported_media_type");
  }
  if (isSmall(request)) return new Uint8Array(await request.arrayBuffer().catch(refuseBroken));
  const body = createBuffer();
  const reader = request.body?.getReader();
  for (let pieces = 1; ; pieces++) {
    const { value: piece } = (await reader?.read().catch(refuseBroken)) ?? {};
    if (piece === undefined) return body.bytes();
    if (pieces > MAX_PIECES || body.size() + piece.byteLength > maxBody) {
      // Not awaited: on Bun it may never settle.
      reader?.cancel().catch(() => {});
      throw new Failure("body_too_large");
    }
    body.append(piece);
  }
}

/**
 * Whether the declared length is small. Such a body cannot arrive in too many pieces, and it is faster to read it at
 * once.
 */
function isSmall({ headers }: Request): boolean {
  const length = headers.get("content-length");
  return length !== null && Number(length) <= MAX_PIECES && !headers.has("transfer-encoding");
}

/**
 * The bytes of all pieces. It copies each piece, because a piece of one byte may keep a whole page of the runtime's
 * memory.
 */
function createBuffer() {
  let buffer = new Uint8Array(1024);
  let size = 0;
  return {
    size: () => size,
    append(piece: Uint8Array): void {
      if (size + piece.byteLength > buffer.length) {
        const larger = new Uint8Array(Math.max(2 * buffer.length, size + piece.byteLength));
        larger.set(buffer);
        buffer = larger;
      }
      buffer.set(piece, size);
      size += piece.byteLength;
    },
    bytes: () => buffer.subarray(0, size),
  };
}

/** The client has disconnected before the end of the body. */
function refuseBroken(cause: unknown): never {
  throw new Failure("malformed_body", {}, { cause });
}

/** RFC 9112 §6.3. On Deno, `body` is a stream even if there is no body. */
const hasBody = ({ body, headers }: Request) =>
  body !== null && (Number(headers.get("content-length")) > 0 || headers.has("transfer-encoding"));

// A byte-order mark is kept, so that JSON.parse refuses it (RFC 8259 §8.1).
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Failure("malformed_body");
  }
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  // `Object.values` of a long array would take twenty times as long as parsing it.
  const children: unknown[] = Array.isArray(value) ? value : Object.values(value);
  return children.some((child) => isDeeperThan(levels - 1, child));
}
