/** Days in the format of the API (`2026-12-01`), and as words for people. */
import type { LocalTodo } from "todo-service/sync";

const DAY = 86_400_000;

/** The day of a moment, where the user is. */
export function dayOf(date: Date): string {
  const [year, month, day] = [date.getFullYear(), date.getMonth() + 1, date.getDate()];
  return [
    String(year).padStart(4, "0"),
    ...[month, day].map((n) => String(n).padStart(2, "0")),
  ].join("-");
}

export const today = () => dayOf(new Date());

/** The day on which a todo is due where the user is; undefined when it has no due date. */
export function dueDay({ due }: LocalTodo): string | undefined {
  // `at` is the moment, if the due date has a time and a time zone.
  return due?.at ? dayOf(new Date(due.at)) : due?.date;
}

export const isOverdue = (todo: LocalTodo): boolean =>
  !todo.is_done && (dueDay(todo) ?? "9") < today();

const near = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const thisYear = new Intl.DateTimeFormat("en", {
  weekday: "short",
  day: "numeric",
  month: "short",
});
const otherYear = new Intl.DateTimeFormat("en", {
  day: "numeric",
  month: "short",
  year: "numeric",
});

/** `Today`, `Tomorrow`, `Tue, Dec 1`, `Dec 1, 2027`. */
export function dayName(day: string): string {
  const date = new Date(`${day}T12:00`);
  const days = Math.round((date.getTime() - new Date(`${today()}T12:00`).getTime()) / DAY);
  if (Math.abs(days) <= 1) {
    const name = near.format(days, "day");
    return name.charAt(0).toUpperCase() + name.slice(1);
  }
  return (day.slice(0, 4) === today().slice(0, 4) ? thisYear : otherYear).format(date);
}

const clock = new Intl.DateTimeFormat("en", { timeStyle: "short" });

/** The due date in words: `Tomorrow, 9:00 AM`. */
export function dueName(todo: LocalTodo): string {
  const { at, time } = todo.due ?? {};
  const day = dayName(dueDay(todo) ?? today());
  const moment = at ?? (time && `${today()}T${time}`);
  return moment ? `${day}, ${clock.format(new Date(moment))}` : day;
}
