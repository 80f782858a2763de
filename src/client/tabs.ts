/** What the tabs of a browser that share a store tell each other, and which of them does the work. */

export interface Tabs<Message> {
  /** Sends to all others. */
  post(message: Message): void;
  /**
   * Does `work` while no other tab does. Where there are no Web Locks, it does so at once.
   * @param signal ends the wait for the turn, not the work
   */
  inTurn(signal: AbortSignal, work: () => Promise<void>): Promise<void>;
  close(): void;
}

/** @param name of what is shared; none when nothing is */
export function openTabs<Message>(
  name: string | undefined,
  onMessage: (message: Message) => void,
): Tabs<Message> {
  const channel = name === undefined ? undefined : new BroadcastChannel(name);
  if (channel) channel.onmessage = ({ data }) => onMessage(data);
  // Server runtimes have the channel, but not all of them have locks, whatever the types say.
  const locks: LockManager | undefined = globalThis.navigator?.locks;
  return {
    post: (message) => channel?.postMessage(message),
    async inTurn(signal, work) {
      if (name === undefined || !locks) return work();
      await locks.request(name, { signal }, work).catch((error) => {
        if (!signal.aborted) throw error;
      });
    },
    close: () => channel?.close(),
  };
}
