/**
 * Shares a few workers fairly: however much one network asks for, the others get their turn. Within a network, the users
 * take turns too.
 */
import { Failure } from "./http/problem.ts";

export interface FairQueueOptions {
  /** Tasks that run at the same time. */
  concurrency: number;
  /** Tasks of one client that may wait. */
  waitingPerClient: number;
  /** Tasks of all clients that may wait. */
  waiting: number;
  /** Called with the number of waiting tasks of all clients, whenever that number has changed. */
  onWaiting?(waiting: number): void;
  /** Called for each task that is refused. */
  onRefused?(): void;
  /** The current time in milliseconds (performance.now()). */
  now?(): number;
}

/** Who asks for a task. */
export interface Client {
  network: string;
  /** Only for a request with a live session. All requests of a network without one are one client. */
  user?: string;
}

/** Milliseconds after which a running task counts as lost. No hash takes that long, and no write to a libSQL server. */
const LOST = 15_000;

/** A place that a running task takes, with the start time on the clock of performance.now(). */
interface Place {
  since: number;
}

interface Waiter {
  start(place: Place): void;
  refuse(failure: Failure): void;
}

/** @returns a function that runs a task of a client, and returns its result */
export function fairQueue(options: FairQueueOptions) {
  const { concurrency, waitingPerClient, waiting, onWaiting, onRefused } = options;
  const { now = () => performance.now() } = options;
  const running = new Set<Place>();
  let waitingNow = 0;
  /**
   * The waiting tasks of each client of each network, in the order of their turns. A network or a client without waiting
   * tasks is not in its map.
   */
  const networks = new Map<string, Map<string, Waiter[]>>();

  function count(change: 1 | -1): void {
    waitingNow += change;
    onWaiting?.(waitingNow);
  }

  function refusal(): Failure {
    onRefused?.();
    return new Failure("unavailable");
  }

  /** Takes a place if one is free. */
  function takePlace(): Place | undefined {
    if (running.size >= concurrency) return undefined;
    const place = { since: now() };
    running.add(place);
    return place;
  }

  /**
   * Starts the first task of the next client of the next network, while a place is free. The network then goes behind
   * all others, and the client behind all others of the network.
   */
  function startWaiting(): void {
    // A Map also visits entries that are added during the loop. So the network gets its next turn after the others.
    for (const [network, clients] of networks) {
      const [next] = clients;
      const place = next && takePlace();
      if (!next || !place) return;
      const [client, queue] = next;
      const waiter = queue.shift();
      count(-1);
      clients.delete(client);
      if (queue.length > 0) clients.set(client, queue);
      networks.delete(network);
      if (clients.size > 0) networks.set(network, clients);
      waiter?.start(place);
    }
  }

  /**
   * Frees the places of lost tasks. A runtime may stop a request that takes too long, and then none of the request's
   * code runs any more.
   */
  function freeLostPlaces(): void {
    for (const place of running) if (now() - place.since > LOST) running.delete(place);
    startWaiting();
  }

  /**
   * Makes room: refuses the newest task of the client that waits most in the network that waits most. False when no
   * network has more than one task.
   */
  function makeRoom(): boolean {
    const lengthOf = (clients: Map<string, Waiter[]>) =>
      clients.values().reduce((sum, { length }) => sum + length, 0);
    const [network] = [...networks.values()].toSorted((a, b) => lengthOf(b) - lengthOf(a));
    if (network === undefined || lengthOf(network) < 2) return false;
    // Of those that wait equally, the one that came last.
    const [longest] = [...network].toReversed().toSorted(([, a], [, b]) => b.length - a.length);
    if (longest === undefined) return false;
    const [client, queue] = longest;
    queue.pop()?.refuse(refusal());
    count(-1);
    if (queue.length === 0) network.delete(client);
    return true;
  }

  function wait({ network, user = "" }: Client): Promise<Place> {
    const queue = networks.get(network)?.get(user) ?? [];
    if (queue.length >= waitingPerClient) throw refusal();
    // A client with no waiting task may take a place from a network with several. The reverse is not allowed.
    if (waitingNow >= waiting && !(queue.length === 0 && makeRoom())) {
      throw refusal();
    }
    count(1);
    const clients = networks.get(network) ?? new Map<string, Waiter[]>();
    networks.set(network, clients.set(user, queue));
    return new Promise((resolve, reject) => {
      queue.push({ start: resolve, refuse: reject });
    });
  }

  /** @throws Failure `unavailable` when too many tasks already wait */
  return async <T>(client: Client, task: () => Promise<T>): Promise<T> => {
    freeLostPlaces();
    const place = takePlace() ?? (await wait(client));
    try {
      return await task();
    } finally {
      running.delete(place);
      startWaiting();
    }
  };
}
