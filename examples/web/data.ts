/** The todos: a client of the service, and a copy that works offline. The rest of the app uses only this copy. */
import { useEffect, useState } from "preact/hooks";
import { createClient, type TokenStore } from "todo-service/client";
import { createSync, indexedDbStore } from "todo-service/sync";
import { say } from "./notices.tsx";

/** The address of the service. `build.ts` puts it here. */
declare const SERVICE_URL: string;

const TOKENS = "tokens";

/** All scripts of this page are its own (see the Content-Security-Policy), so the tokens may be kept here. */
const store: TokenStore = {
  get: () => JSON.parse(localStorage.getItem(TOKENS) ?? "null"),
  set: (tokens) => localStorage.setItem(TOKENS, JSON.stringify(tokens)),
};

export const client = createClient(SERVICE_URL, {
  store,
  onSessionEnd: () => say("Your session has ended. Log in again: what you changed is still here."),
});

export const sync = createSync(client, {
  store: indexedDbStore("todos"),
  onRefused: ({ problem }) => say(`A change could not be saved: ${problem.detail}`),
  onStoreError: () => say("This browser keeps no data now. Stay online, so that nothing is lost."),
});

const MINUTE = 60_000;

/** Renders a component again after each change of the copy, and each minute because of the date. */
export function useSync(): void {
  const [, draw] = useState({});
  useEffect(() => {
    const end = sync.subscribe(() => draw({}));
    const timer = setInterval(() => draw({}), MINUTE);
    return () => {
      end();
      clearInterval(timer);
    };
  }, []);
}
