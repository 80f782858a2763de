/** Shares a few workers fairly between many clients: however much one client asks for, the others get their turn. */
import { Failure } from "../http/problem.ts";

export interface FairQueueOptions {
  /** Tasks at once. */
  concurrency: number;
  /** Tasks of one client that may wait. */
  waitingPerClient: number;
  /** Tasks of all clients that may wait. */
  waiting: number;
}

interface Waiter {
  start(): void;
  refuse(failure: Failure): void;
}

/** @returns runs a task of a client's, and gives what it gives */
export function fairQueue({ concurrency, waitingPerClient, waiting }: FairQueueOptions) {
  let running = 0;
  let waitingNow = 0;
  /** Who waits, in the order in which the clients take turns. A client in it has at least one waiter. */
  const queues = new Map<string, Waiter[]>();

  /** Lets the next client's first waiter go. The client then stands behind all others. */
  function startNext(): void {
    const [next] = queues;
    if (next === undefined) {
      running--;
      return;
    }
    const [client, queue] = next;
    const waiter = queue.shift();
    waitingNow--;
    queues.delete(client);
    if (queue.length > 0) queues.set(client, queue);
    waiter?.start();
  }

  /** Makes room by refusing the newest waiter of the client who has most; false when nobody has more than one. */
  function makeRoom(): boolean {
    const [longest] = [...queues.values()].toSorted((one, other) => other.length - one.length);
    if (longest === undefined || longest.length < 2) return false;
    longest.pop()?.refuse(new Failure("unavailable"));
    waitingNow--;
    return true;
  }

  function wait(client: string): Promise<void> {
    const queue = queues.get(client) ?? [];
    if (queue.length >= waitingPerClient) throw new Failure("unavailable");
    // A newcomer may take the place of somebody who has several, but not the other way round.
    if (waitingNow >= waiting && !(queue.length === 0 && makeRoom())) {
      throw new Failure("unavailable");
    }
    waitingNow++;
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
