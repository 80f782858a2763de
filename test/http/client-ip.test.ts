/** The client's address, from the socket and `X-Forwarded-For`, and the part of it that the client cannot change. */
import { describe, expect, test } from "bun:test";
import { clientIp, networkOf } from "../../src/http/client-ip.ts";

const SOCKET = "192.0.2.1";

describe("the client's address", () => {
  test.each<[forwarded: string | undefined, trustProxy: number, address: string]>([
    // By default the header is ignored.
    [undefined, 0, SOCKET],
    ["203.0.113.7", 0, SOCKET],
    ["203.0.113.7, 203.0.113.8", 0, SOCKET],
    // Counted from the right, whatever is further to the left.
    ["203.0.113.7", 1, "203.0.113.7"],
    ["203.0.113.6, 203.0.113.7", 1, "203.0.113.7"],
    ["203.0.113.6,203.0.113.7", 1, "203.0.113.7"],
    ["nonsense,, 203.0.113.7 ", 1, "203.0.113.7"],
    ["203.0.113.6, 203.0.113.7", 2, "203.0.113.6"],
    ["203.0.113.5, 203.0.113.6, 203.0.113.7", 2, "203.0.113.6"],
    ["203.0.113.5, 203.0.113.6, 203.0.113.7", 3, "203.0.113.5"],
    // If the header has fewer addresses than there are proxies, the socket's address is used.
    [undefined, 1, SOCKET],
    ["", 1, SOCKET],
    ["203.0.113.7", 2, SOCKET],
    // An invalid address counts as none, so it cannot fill the table or forge a line of the log.
    ["203.0.113.7, unknown", 1, SOCKET],
    ["203.0.113.7, _hidden", 1, SOCKET],
    ["203.0.113.7, ", 1, SOCKET],
    ["1".repeat(200), 1, SOCKET],
    [`${"1:".repeat(100)}1`, 1, SOCKET],
    ['"203.0.113.7"', 1, SOCKET],
    ["203.0.113.7 203.0.113.8", 1, SOCKET],
    ["203.0.113.256", 1, SOCKET],
    ["203.0.113.07", 1, SOCKET],
    ["203.0.113", 1, SOCKET],
    ["1:2:3:4:5:6:7", 1, SOCKET],
    ["1:2:3:4:5:6:7:8:9", 1, SOCKET],
    ["1::2::3", 1, SOCKET],
    ["1:2:3:4::5:6:7:8", 1, SOCKET],
    [":1:2:3:4:5:6:7:8", 1, SOCKET],
    ["::12345", 1, SOCKET],
    ["::1.2.3.4:5", 1, SOCKET],
    // IPv6, and IPv4 on a socket that listens on both.
    ["2001:db8::7", 1, "2001:db8::7"],
    ["2001:DB8:0:0:0:0:0:7", 1, "2001:DB8:0:0:0:0:0:7"],
    ["::1", 1, "::1"],
    ["::ffff:203.0.113.7", 1, "203.0.113.7"],
    ["::FFFF:203.0.113.7", 1, "203.0.113.7"],
    ["::ffff:cb00:7107", 1, "203.0.113.7"],
    ["0:0:0:0:0:ffff:203.0.113.7", 1, "203.0.113.7"],
    ["[0000:0000::FFFF:CB00:7107]:50001", 1, "203.0.113.7"],
    // A port is not part of the address, because the client can choose it.
    ["203.0.113.7:50001", 1, "203.0.113.7"],
    ["[2001:db8::7]:50001", 1, "2001:db8::7"],
    ["[2001:db8::7]", 1, "2001:db8::7"],
  ])("of %j behind %i is %s", (forwarded, trustProxy, address) => {
    const headers: Record<string, string> = {};
    if (forwarded !== undefined) headers["x-forwarded-for"] = forwarded;
    const request = new Request("http://localhost/", { headers });
    expect(clientIp(request, SOCKET, trustProxy)).toBe(address);
  });

  test.each([
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::ffff:cb00:7107", "203.0.113.7"],
    ["::1", "::1"],
    ["fe80::1%eth0", "fe80::1%eth0"],
    [null, null],
  ])("of a socket at %s is %s", (socket, address) => {
    expect(clientIp(new Request("http://localhost/"), socket, 0)).toBe(address);
  });

  test("of a header given twice is counted over both", () => {
    const headers = new Headers();
    headers.append("x-forwarded-for", "203.0.113.5, 203.0.113.6");
    headers.append("x-forwarded-for", "203.0.113.7");
    const request = new Request("http://localhost/", { headers });
    expect(clientIp(request, SOCKET, 1)).toBe("203.0.113.7");
    expect(clientIp(request, SOCKET, 2)).toBe("203.0.113.6");
  });
});

describe("the network", () => {
  test.each([
    ["203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::", "2001:db8:1:2"],
    ["2001:0DB8:0001:0002::6", "2001:db8:1:2"],
    ["2001:db8::6", "2001:db8:0:0"],
    ["2001:db8:0:0:3:4:5:6", "2001:db8:0:0"],
    ["2001:db8::3:4:5:6", "2001:db8:0:0"],
    ["2001::2:3:4:5:6", "2001:0:0:2"],
    ["1::", "1:0:0:0"],
    ["::", "0:0:0:0"],
    ["::1", "0:0:0:0"],
    ["0000:0000:0000:0000:0000:0000:0000:0001", "0:0:0:0"],
    ["::1:2:3:4:5:6:7", "0:1:2:3"],
    ["fe80::1", "fe80:0:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["2001:db8::198.51.100.7", "2001:db8:0:0"],
    // IPv4-mapped IPv6 addresses (RFC 4291 §2.5.5.2), in every spelling.
    ["::ffff:198.51.100.7", "198.51.100.7"],
    ["::ffff:c633:6407", "198.51.100.7"],
    ["::FFFF:C633:6407", "198.51.100.7"],
    ["0:0:0:0:0:ffff:198.51.100.7", "198.51.100.7"],
    ["0:0:0:0:0:ffff:c633:6407", "198.51.100.7"],
    ["0000:0000:0000:0000:0000:ffff:c633:6407", "198.51.100.7"],
    ["0::0:ffff:c633:6407", "198.51.100.7"],
    ["::ffff:0:1", "0.0.0.1"],
    // Other addresses that contain an IPv4 address are not mapped ones.
    ["::ffff:0:c633:6407", "0:0:0:0"],
    ["64:ff9b::c633:6407", "64:ff9b:0:0"],
  ])("of %s is %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  test("of an address that is not known is empty", () => {
    expect(networkOf(null)).toBe("");
  });
});
