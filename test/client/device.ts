/** A device of a user: a client with a copy, on a network that can fail. */
import { createClient } from "../../src/client/client.ts";
import { createSync, type SyncOptions } from "../../src/client/sync.ts";
import { keep } from "./connect.ts";
import { startContract } from "./contract.ts";

/** A network that may be down, or lose the answers to what it has carried. */
export function createNetwork() {
  let cut = new AbortController();
  const network = {
    isDown: false,
    /** Loses the answers to requests of these routes. */
    loses: (_route: string) => false,
    down() {
      network.isDown = true;
      cut.abort(new TypeError("The network is down"));
      cut = new AbortController();
    },
    up() {
      network.isDown = false;
    },
    async fetch(url: string, init: RequestInit): Promise<Response> {
      if (network.isDown) throw new TypeError("The network is down");
      const signals = [cut.signal, init.signal].filter((each) => each != null);
      const answer = await fetch(url, { ...init, signal: AbortSignal.any(signals) });
      if (!network.loses(`${init.method ?? "GET"} ${new URL(url).pathname}`)) return answer;
      await answer.body?.cancel();
      throw new TypeError("The answer is lost");
    },
  };
  return network;
}

export type Device = Awaited<ReturnType<typeof openDevice>>;

interface DeviceOptions extends SyncOptions {
  /** A network to keep, or to share. */
  network?: ReturnType<typeof createNetwork>;
  /** The status to wait for while the network is up. */
  expects?: "live" | "polling";
}

export async function openDevice(
  url: string,
  username: string,
  { network = createNetwork(), expects = "live", ...options }: DeviceOptions = {},
) {
  // The log-in is not what is tested: it does not take this network.
  const tokens = keep();
  const logIn = createClient(url, { store: tokens }).users["log-in"];
  const { error } = await logIn.post({ username, password: "correct horse" });
  if (error) throw new Error(error.message);
  const client = createClient(url, { store: tokens, fetch: network.fetch });
  const sync = createSync(client, { pollEvery: 20, ...options });
  await sync.ready();
  /** Waits until `isSo`, looking after each change. */
  const until = (isSo: () => boolean) =>
    new Promise<void>((resolve) => {
      const end = sync.subscribe(check);
      function check() {
        if (!isSo()) return;
        end();
        resolve();
      }
      check();
    });
  await until(() => sync.status() === (network.isDown ? "offline" : expects));
  return {
    url,
    client,
    tokens,
    network,
    until,
    ...sync,
    contents: () => sync.todos.all().map(({ contents }) => contents),
  };
}

/** Starts services and opens devices, for `closeAll` to end them after each test. */
export function createScene() {
  const devices: Device[] = [];
  const services: ReturnType<typeof startContract>[] = [];
  return {
    start() {
      const service = startContract();
      services.push(service);
      return service;
    },
    async open(...inputs: Parameters<typeof openDevice>) {
      const device = await openDevice(...inputs);
      devices.push(device);
      return device;
    },
    async closeAll() {
      for (const device of devices.splice(0)) await device.close();
      for (const service of services.splice(0)) await service.stop();
    },
  };
}
