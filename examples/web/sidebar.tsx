/** The sidebar: search, links to the lists, and whether the copy is synchronized with the service. */
import { useState } from "preact/hooks";
import { client, sync } from "./data.ts";
import { ListDialog } from "./dialogs.tsx";
import { Icon, type IconName } from "./icons.tsx";
import { say } from "./notices.tsx";
import { dueToday } from "./views.ts";

interface Props {
  /** The view that is shown. */
  hash: string;
  search: string;
  onSearch(search: string): void;
}

export function Sidebar({ hash, search, onSearch }: Props) {
  const [isAdding, setAdding] = useState(false);
  const open = Map.groupBy(
    sync.todos.all().filter((todo) => !todo.is_done),
    ({ list_id }) => list_id,
  );
  const openIn = (list_id: number | null) => open.get(list_id)?.length ?? 0;
  const way = (to: string, name: string, icon: IconName, open: number) => (
    <Way
      name={name}
      icon={icon}
      open={open}
      to={to}
      isHere={to === hash}
      onGo={() => onSearch("")}
    />
  );
  return (
    <header class="sidebar">
      <p class="brand">Todos</p>
      <search>
        <label>
          <Icon name="search" />
          <input
            type="search"
            placeholder="Search"
            aria-label="Search all todos"
            value={search}
            onInput={({ currentTarget }) => onSearch(currentTarget.value)}
          />
        </label>
      </search>
      <nav aria-label="Lists">
        <ul>
          <li>{way("today", "Today", "today", dueToday().open.length)}</li>
          <li>{way("inbox", "Inbox", "inbox", openIn(null))}</li>
          {sync.lists.all().map(({ key, id, name }) => (
            <li key={key}>{way(`list/${id}`, name, "list", openIn(id))}</li>
          ))}
          <li>
            <button type="button" class="way" onClick={() => setAdding(true)}>
              <Icon name="add" />
              New list
            </button>
          </li>
        </ul>
      </nav>
      <footer>
        <Status />
        <button type="button" class="quiet" onClick={logOut}>
          Log out
        </button>
      </footer>
      {isAdding && <ListDialog onClose={() => setAdding(false)} />}
    </header>
  );
}

interface WayProps {
  name: string;
  icon: IconName;
  /** The number of open todos. */
  open: number;
  /** The hash of its view. */
  to: string;
  isHere: boolean;
  onGo(): void;
}

/** A link to a view. */
const Way = ({ name, icon, open, to, isHere, onGo }: WayProps) => (
  <a class="way" href={`#${to}`} aria-current={isHere ? "page" : undefined} onClick={onGo}>
    <Icon name={icon} />
    <span class="name">{name}</span>
    {open > 0 && (
      <span class="count">
        {open}
        <span class="unseen"> open</span>
      </span>
    )}
  </a>
);

function Status() {
  const status = sync.status();
  const pending = sync.pending();
  const changes = pending === 1 ? "1 change waits" : `${pending} changes wait`;
  const words = {
    live: pending > 0 ? "Saving…" : "Up to date",
    polling: pending > 0 ? "Saving…" : "Up to date",
    connecting: "Connecting…",
    offline: pending > 0 ? `Offline, ${changes}` : "Offline",
    "logged-out": "",
  };
  return (
    <div>
      <p class={`status ${status}`}>{words[status]}</p>
      {/* A screen reader reads this when it changes, and is not to read every "Saving…". */}
      <p class="unseen" role="status">
        {status === "offline" && "You are offline. What you change is kept here, and sent later."}
      </p>
    </div>
  );
}

/** A log-out empties the store, so changes that were not sent would be lost. */
async function logOut() {
  const isSure = () => confirm("Some changes are not saved yet. Log out and lose them?");
  if (sync.pending() > 0 && !isSure()) return;
  try {
    const { error } = await client.users["log-out"].post();
    // With 401 there is nothing to say: the session had ended before, and nothing is left here either.
    if (error && error.status !== 401) say(error.message);
  } catch {
    say("To log out, you have to be online.");
  }
}
