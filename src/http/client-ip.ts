/** From where a request comes: the socket's address, or what trusted proxies say of it. */

/** The address at the other end of a request's connection; null where the runtime does not tell. */
export type SocketIp = (request: Request) => string | null;

/**
 * The client's address. Each proxy adds the address that it was called from at the right of `X-Forwarded-For`, so of
 * `trustProxy` proxies the outermost named the client that many places from the right; what stands further left is
 * anybody's word. With 0 the header counts for nothing.
 * @param socket the address at the other end of the connection; null where the runtime does not tell
 */
export function clientIp(
  request: Request,
  socket: string | null,
  trustProxy: number,
): string | null {
  const forwarded = request.headers.get("x-forwarded-for")?.split(",") ?? [];
  const named = trustProxy > 0 ? forwarded.at(-trustProxy)?.trim() : undefined;
  const [, ipv4, ipv6] = NAMED.exec(named ?? "") ?? [];
  const ip = ipv4 ?? ipv6 ?? socket;
  // An IPv4 client of a socket that listens on both.
  return ip?.replace(/^::ffff:(?=\d+\.)/i, "") ?? null;
}

// Some proxies name the port too; with it, every connection would be another client.
const NAMED = /^(?:([0-9.]{7,15})(?::\d{1,5})?|\[?([0-9a-f:.]{2,45})(?:\](?::\d{1,5})?)?)$/i;

/** What one client can't change at will: its IPv4 address, or the first half of its IPv6 address (RFC 6177). */
export function networkOf(ip: string): string {
  if (!ip.includes(":")) return ip;
  const [head = "", tail] = ip.toLowerCase().split("::");
  const groups = head.split(":").filter((group) => group !== "");
  if (tail !== undefined) {
    const after = tail.split(":").filter((group) => group !== "");
    while (groups.length + after.length < 8) groups.push("0");
    groups.push(...after);
  }
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":");
}
