/** The origin of a request: its client's address, and the network that the address belongs to. */

/** The address at the other end of a request's connection; null where the runtime does not tell. */
export type SocketIp = (request: Request) => string | null;

/**
 * The client's address. Each proxy appends the address that called it to `X-Forwarded-For`. With `trustProxy` proxies,
 * the outermost one has appended the client's address: it is that many places from the right. A client can write
 * anything further to the left. With 0 proxies the header is ignored.
 * @param socket the address at the other end of the connection; null where the runtime does not provide it
 * @returns an IPv4-mapped IPv6 address as its IPv4 address, any other address as it was written
 */
export function clientIp(
  request: Request,
  socket: string | null,
  trustProxy: number,
): string | null {
  if (trustProxy > 0) {
    const forwarded = request.headers.get("x-forwarded-for")?.split(",") ?? [];
    const [, ipv4, ipv6] = NAMED.exec(forwarded.at(-trustProxy)?.trim() ?? "") ?? [];
    const ip = ipv4 ?? ipv6;
    if (ip !== undefined && isAddress(ip)) return unmapped(ip);
  }
  return socket === null ? null : unmapped(socket);
}

// Some proxies append the port. It does not belong to the address: each connection has another port.
const NAMED = /^(?:([0-9.]{7,15})(?::\d{1,5})?|\[?([0-9a-f:.]{2,45})(?:\](?::\d{1,5})?)?)$/i;

/**
 * The part of an address that a client cannot change at will: the whole IPv4 address, or the first 64 bits of an IPv6
 * address (RFC 6177). Empty for an unknown address.
 */
export function networkOf(ip: string | null): string {
  const groups = ip === null ? undefined : parseIpv6(ip);
  if (groups === undefined) return ip ?? "";
  return mappedIpv4(groups) ?? groups.slice(0, 4).map(hex).join(":");
}

const IPV4 = /^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/;
const GROUP = /^[0-9a-f]{1,4}$/i;

const hex = (group: number) => group.toString(16);

const isAddress = (ip: string) => parseIpv4(ip) !== undefined || parseIpv6(ip) !== undefined;

function unmapped(ip: string): string {
  if (!ip.includes(":")) return ip;
  const groups = parseIpv6(ip);
  return (groups && mappedIpv4(groups)) ?? ip;
}

/** The IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2). */
function mappedIpv4(groups: number[]): string | undefined {
  const [high = 0, low = 0] = groups.slice(6);
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  return isMapped ? [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".") : undefined;
}

/** The four bytes of an address in dotted decimal. */
function parseIpv4(text: string): number[] | undefined {
  const bytes = text.split(".").map(Number);
  return IPV4.test(text) && bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

/** The eight groups of an IPv6 address in any of its spellings (RFC 4291 §2.2). A zone (`%eth0`) is left out. */
function parseIpv6(text: string): number[] | undefined {
  const [address = ""] = text.split("%");
  const [head, tail, ...rest] = address.split("::").map(parseGroups);
  if (head === undefined || rest.length > 0) return undefined;
  if (!address.includes("::")) return head.length === 8 ? head : undefined;
  if (tail === undefined || head.length + tail.length > 7) return undefined;
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

/** Groups between colons. The last two may be written as an IPv4 address. */
function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    const [a = 0, b = 0, c = 0, d] = (i === parts.length - 1 && parseIpv4(part)) || [];
    if (d !== undefined) groups.push((a << 8) | b, (c << 8) | d);
    else if (GROUP.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}
