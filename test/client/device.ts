/** A device of a user: a client with a copy, on a network that can fail. Also the service for such devices. */
import { createClient } from "../../src/client/client.ts";
import { createSync, type List, type SyncOptions, type Todo } from "../../src/client/sync.ts";
import { PASSWORD, startService } from "../service.ts";
import { keep } from "./connect.ts";

/** A request that has reached the service. */
interface Received {
  /** `GET /todos`, for example. */
  route: string;
  query: URLSearchParams;
  body: string;
  /** The status of the answer. */
  status: number;
}

export type SyncService = Awaited<ReturnType<typeof startSyncService>>;

/** A separate service, which records the requests from devices. */
export async function startSyncService(environment: Record<string, string> = {}) {
  const service = await startService(environment);
  const received: Received[] = [];
  const users = new Map<string, Promise<{ id: number; token: string }>>();
  const userNamed = (name: string) => {
    const user = users.get(name) ?? service.user(name);
    users.set(name, user);
    return user;
  };

  /** All rows of a user, by position. */
  async function rowsOf(name: string) {
    await userNamed(name);
    // A new log-in each time, because a test may move the service's clock forward.
    const { token } = await service.logIn(name);
    const exported = await service.call("GET", "/users/me/export", { token });
    const rows: { lists: List[]; todos: (Todo & { deleted_at?: string })[] } =
      await exported.json();
    const byPosition = (a: Todo | List, b: Todo | List) => a.position - b.position || a.id - b.id;
    await service.call("POST", "/users/log-out", { token });
    return { lists: rows.lists.sort(byPosition), todos: rows.todos.sort(byPosition) };
  }

  const watched = {
    ...service,
    received,
    /** Answers in place of the service, as a proxy in front of it might. By default it does nothing. */
    instead: (_route: string): Response | undefined => undefined,
    /** Carries a device's request to the service. */
    async carry(url: string, init: RequestInit): Promise<Response> {
      const { pathname, searchParams: query } = new URL(url);
      const route = `${init.method ?? "GET"} ${pathname}`;
      const answer = watched.instead(route) ?? (await fetch(url, init));
      received.push({ route, query, body: String(init.body ?? ""), status: answer.status });
      return answer;
    },
    count: (route: string) => received.filter((each) => each.route === route).length,
    /** The id of a user. A user of this name is signed up if there is none. */
    idOf: async (name: string) => (await userNamed(name)).id,
    todos: async (name: string) =>
      (await rowsOf(name)).todos.filter(({ deleted_at }) => deleted_at === undefined),
    trash: async (name: string) =>
      (await rowsOf(name)).todos.filter(({ deleted_at }) => deleted_at !== undefined),
    lists: async (name: string) => (await rowsOf(name)).lists,
    /** Ends every session of a user, also those of devices. */
    async endSessions(name: string) {
      const { token } = await service.logIn(name);
      await service.call("DELETE", "/users/me/sessions", { token });
    },
    /** Ends all streams of events, as a service does before it stops. */
    endStreams: () => service.services.watch.endAll(),
  };
  return watched;
}

/** A network that can be down, or lose the answers to requests that it has carried. */
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
    async fetch(
      url: string,
      init: RequestInit,
      carry: (url: string, init: RequestInit) => Promise<Response>,
    ): Promise<Response> {
      if (network.isDown) throw new TypeError("The network is down");
      const signals = [cut.signal, init.signal].filter((each) => each != null);
      const answer = await carry(url, { ...init, signal: AbortSignal.any(signals) });
      if (!network.loses(`${init.method ?? "GET"} ${new URL(url).pathname}`)) return answer;
      await answer.body?.cancel();
      throw new TypeError("The answer is lost");
    },
  };
  return network;
}

export type Device = Awaited<ReturnType<typeof openDevice>>;

interface DeviceOptions extends SyncOptions {
  /** A network to keep or to share. */
  network?: ReturnType<typeof createNetwork>;
  /** The status to wait for while the network is up. */
  expects?: "live" | "polling";
}

/** Opens a device and logs in on it. A user of this name is signed up if there is none. */
export async function openDevice(
  service: SyncService,
  username: string,
  { network = createNetwork(), expects = "live", ...options }: DeviceOptions = {},
) {
  // The name that a store uses for its user.
  const user = String(await service.idOf(username));
  // The log-in is not part of the test, so it does not use this network.
  const tokens = keep();
  const logIn = createClient(service.url, { store: tokens }).users["log-in"];
  const { error } = await logIn.post({ username, password: PASSWORD });
  if (error) throw new Error(error.message);
  const client = createClient(service.url, {
    store: tokens,
    fetch: (url, init) => network.fetch(url, init, service.carry),
  });
  const sync = createSync(client, { pollEvery: 20, ...options });
  await sync.ready();
  /** Waits until `isSo` is true. It is checked after each change. */
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
    service,
    user,
    client,
    tokens,
    network,
    until,
    ...sync,
    contents: () => sync.todos.all().map(({ contents }) => contents),
  };
}

/** Starts services and opens devices. `closeAll` ends them after each test. */
export function createScene() {
  const devices: Device[] = [];
  const services: SyncService[] = [];
  return {
    async start(environment?: Record<string, string>) {
      const service = await startSyncService(environment);
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
