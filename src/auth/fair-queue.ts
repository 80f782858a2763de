/** Shares a few workers fairly between many clients: however much one client asks for, the others get their turn. */
import { Failure } from "../http/problem.ts";

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

/** Milliseconds after which a running task counts as lost. No hash takes that long. */
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
   * The waiting tasks of each client, in the order of the clients' turns. A client without waiting tasks is not in the
   * map.
   */
  const queues = new Map<string, Waiter[]>();

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

  /** Starts the next client's first task while a place is free. The client then goes behind all others. */
  function startWaiting(): void {
    for (const [client, queue] of queues) {
      const place = takePlace();
      if (place === undefined) return;
      const waiter = queue.shift();
      count(-1);
      queues.delete(client);
      // A Map also visits entries that are added during the loop. So the client gets its next turn after the others.
      if (queue.length > 0) queues.set(client, queue);
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
   * Makes room: refuses the newest task of the client with the most waiting tasks. False when no client has more than
   * one.
   */
  function makeRoom(): boolean {
    const [longest] = [...queues.values()].toSorted((one, other) => other.length - one.length);
    if (longest === undefined || longest.length < 2) return false;
    longest.pop()?.refuse(refusal());
    count(-1);
    return true;
  }

  function wait(client: string): Promise<Place> {
    const queue = queues.get(client) ?? [];
    if (queue.length >= waitingPerClient) throw refusal();
    // A client with no waiting task may take a place from a client with several. The reverse is not allowed.
    if (waitingNow >= waiting && !(queue.length === 0 && makeRoom())) {
      throw refusal();
    }
    count(1);
    return new Promise((resolve, reject) => {
      queue.push({ start: resolve, refuse: reject });
      queues.set(client, queue);
    });
  }

  /** @throws Failure `unavailable` when too many tasks already wait */
  return async <T>(client: string, task: () => Promise<T>): Promise<T> => {
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
