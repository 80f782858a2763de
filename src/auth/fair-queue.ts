/** Shares a few workers fairly between many clients: however much one client asks for, the others get their turn. */
import { Failure } from "../http/problem.ts";

export interface FairQueueOptions {
  /** Tasks at once. */
  concurrency: number;
  /** Tasks of one client that may wait. */
  waitingPerClient: number;
  /** Tasks of all clients that may wait. */
  waiting: number;
  /** Told how many tasks of all clients wait, each time when that has changed. */
  onWaiting?(waiting: number): void;
  /** Called for each task that is refused. */
  onRefused?(): void;
}

interface Waiter {
  start(): void;
  refuse(failure: Failure): void;
}

/** @returns a function that runs a task of a client, and gives its result */
export function fairQueue(options: FairQueueOptions) {
  const { concurrency, waitingPerClient, waiting, onWaiting, onRefused } = options;
  let running = 0;
  let waitingNow = 0;
  /** The waiting tasks of each client, in the order in which the clients take turns. No client here has none. */
  const queues = new Map<string, Waiter[]>();

  function count(change: 1 | -1): void {
    waitingNow += change;
    onWaiting?.(waitingNow);
  }

  function refusal(): Failure {
    onRefused?.();
    return new Failure("unavailable");
  }

  /** Lets the next client's first waiter go. The client then stands behind all others. */
  function startNext(): void {
    const [next] = queues;
    if (next === undefined) {
      running--;
      return;
    }
    const [client, queue] = next;
    const waiter = queue.shift();
    count(-1);
    queues.delete(client);
    if (queue.length > 0) queues.set(client, queue);
    waiter?.start();
  }

  /** Makes room: refuses the newest waiter of the client with the most. False when no client has more than one. */
  function makeRoom(): boolean {
    const [longest] = [...queues.values()].toSorted((one, other) => other.length - one.length);
    if (longest === undefined || longest.length < 2) return false;
    longest.pop()?.refuse(refusal());
    count(-1);
    return true;
  }

  function wait(client: string): Promise<void> {
    const queue = queues.get(client) ?? [];
    if (queue.length >= waitingPerClient) throw refusal();
    // A client with no waiter may take a place from a client with several. The reverse is not allowed.
    if (waitingNow >= waiting && !(queue.length === 0 && makeRoom())) {
      throw refusal();
    }
    count(1);
    return new Promise((resolve, reject) => {
      queue.push({ start: resolve, refuse: reject });
      queues.set(client, queue);
    });
  }

  /** @throws Failure `unavailable` when too many tasks wait already */
  return async <T>(client: string, task: () => Promise<T>): Promise<T> => {
    // A task that ends hands its place to a waiter, so `running` stays as it is meanwhile.
    if (running < concurrency) running++;
    else await wait(client);
    try {
      return await task();
    } finally {
      startNext();
    }
  };
}
