/** A todo app that works offline and shows each change in every window. It only uses the client of the todo service. */
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { sync, useSync } from "./data.ts";
import { LogIn } from "./log-in.tsx";
import { Notices } from "./notices.tsx";
import { Sidebar } from "./sidebar.tsx";
import { Todos } from "./todos.tsx";
import { viewAt } from "./views.ts";

function App() {
  useSync();
  return (
    <>
      {sync.status() === "logged-out" ? <LogIn /> : <Lists />}
      <Notices />
    </>
  );
}

function Lists() {
  const hash = useHash();
  const [search, setSearch] = useState("");
  const view = viewAt(hash, search);

  useEffect(() => {
    document.title = `${view.title} · Todos`;
  }, [view.title]);

  useEffect(() => {
    // A list that was created here may have got its id from the service by now.
    if (view.list) history.replaceState(null, "", `#${view.hash}`);
  }, [view.hash]);

  return (
    <div class="app">
      <Sidebar hash={view.hash} search={search} onSearch={setSearch} />
      <Todos key={view.list?.key ?? view.hash} view={view} />
    </div>
  );
}

/** The address names the view. So the browser's Back works, and a reload shows the same view. */
function useHash(): string {
  const [hash, setHash] = useState(location.hash.slice(1));
  useEffect(() => {
    function onChange() {
      setHash(location.hash.slice(1));
      // Then a screen reader reads the heading of the view.
      requestAnimationFrame(() => document.querySelector("h1")?.focus());
    }
    addEventListener("hashchange", onChange);
    return () => removeEventListener("hashchange", onChange);
  }, []);
  return hash;
}

await sync.ready();
render(<App />, document.body);

// With the service worker, the page also opens offline. Browsers have it on pages with TLS and on localhost.
await navigator.serviceWorker?.register("/service-worker.js");
