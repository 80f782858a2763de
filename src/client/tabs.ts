/** Messages between the tabs of a browser that share a store, and the choice of the tab that does the work. */

export interface Tabs<Message> {
  /** Sends to all others. */
  post(message: Message): void;
  /**
   * Runs `work` while no other tab does. Without Web Locks, it runs it at once.
   * @param signal ends the wait for the turn, not the work
   */
  inTurn(signal: AbortSignal, work: () => Promise<void>): Promise<void>;
  close(): void;
}

/** @param store the name of the store of all users; missing when nothing is shared */
export function openTabs<Message>(
  store: string | undefined,
  user: string,
  onMessage: (message: Message) => void,
): Tabs<Message> {
  const name = `${store}/${user}`;
  const channel = store === undefined ? undefined : new BroadcastChannel(name);
  if (channel) channel.onmessage = ({ data }) => onMessage(data);
  // Server runtimes have BroadcastChannel, but not all of them have locks, whatever the types say.
  const locks: LockManager | undefined = globalThis.navigator?.locks;
  return {
    post: (message) => channel?.postMessage(message),
    async inTurn(signal, work) {
      if (!channel || !locks) return work();
      await locks.request(name, { signal }, work).catch((error) => {
        if (!signal.aborted) throw error;
      });
    },
    close: () => channel?.close(),
  };
}
