/** Changing a todo. Ticking off a repeating todo adds the next todo of its series. */
import { type SQL, sql } from "drizzle-orm";
import type { SessionRef } from "../auth/live-session.ts";
import { lastPosition } from "../database/order.ts";
import { todos, users } from "../database/schema.ts";
import { statement, type Values } from "../database/statement.ts";
import { Failure } from "../http/problem.ts";
import type { Services } from "../services.ts";
import {
  type Asker,
  type Operation,
  type OutcomeRow,
  operation,
  outcomeOf,
  runOperation,
} from "../sync/operation.ts";
import { type IfMatch, matches, preconditionFailed } from "../sync/preconditions.ts";
import { nextRevision } from "../sync/revision.ts";
import { writer } from "../sync/writer.ts";
import type { Due } from "./due.ts";
import {
  type ColumnValues,
  columnValues,
  dueColumns,
  endsBefore10000,
  isDoneAlready,
  needsDue,
} from "./fields.ts";
import { hasTooMuchText, isFull, limitsOf, ofUser } from "./limits.ts";
import type { Todo, TodoUpdate } from "./model.ts";
import { anchorOf, nextDue } from "./repeat.ts";
import { toRepeat, toTodo, visibleIn } from "./row.ts";

type Field = keyof TodoUpdate;

const value = (name: string) => sql.placeholder(name);

/** The assignments of each field. On the right side, a column still has its former value. */
const assignments: Record<Field, SQL> = {
  contents: sql`contents = ${value("contents")}, contents_folded = ${value("contents_folded")}`,
  notes: sql`notes = ${value("notes")}, notes_folded = ${value("notes_folded")}`,
  is_done: sql`is_done = ${value("is_done")}, done_at = CASE
    WHEN is_done = ${value("is_done")} THEN done_at
    WHEN ${value("is_done")} THEN ${value("now")}
  END`,
  priority: sql`priority = ${value("priority")}`,
  due: sql`
    due_date = ${value("due_date")}, due_time = ${value("due_time")}, due_zone = ${value("due_zone")},
    due_at = ${value("due_at")},
    due_day = CASE WHEN due_date = ${value("due_date")} THEN due_day ELSE ${value("due_day")} END`,
  repeat: sql`repeat = ${value("repeat")}`,
};

/** Whether a field would change anything. */
const differences: Record<Field, SQL> = {
  contents: sql`contents <> ${value("contents")}`,
  notes: sql`notes IS NOT ${value("notes")}`,
  is_done: sql`is_done <> ${value("is_done")}`,
  priority: sql`priority <> ${value("priority")}`,
  due: sql`(due_date, due_time, due_zone, due_at) IS NOT
    (${value("due_date")}, ${value("due_time")}, ${value("due_zone")}, ${value("due_at")})`,
  repeat: sql`repeat IS NOT ${value("repeat")}`,
};

/** Whether a text would become longer. */
const growths = {
  contents: sql`octet_length(${value("contents")}) > octet_length(contents)`,
  notes: sql`octet_length(coalesce(${value("notes")}, '')) > octet_length(coalesce(notes, ''))`,
};

/**
 * The state of a todo after a change. If nothing was changed, it is the former state, and the other columns say why:
 * because nothing was changed, these reasons are still true.
 */
interface State {
  /** Null when there is no such todo. */
  id: number | null;
  is_changed: number;
  /** The next todo of its series, which the change has added. */
  next_id: number | null;
  matches: number;
  due_date: string | null;
  due_time: string | null;
  due_zone: string | null;
  due_day: number | null;
  repeat: string | null;
  lacks_due: number;
  is_done_already: number;
  /** Whether the change would tick off a todo that repeats. */
  completes: number;
  is_full: number;
  is_too_long: number;
}

/** The statements for a change of these fields. */
function prepare(fields: Field[]) {
  const has = (field: Field) => fields.includes(field);
  const dueDate = has("due") ? sql`${value("due_date")}` : sql`due_date`;
  const repeat = has("repeat") ? sql`${value("repeat")}` : sql`${todos.repeat}`;
  const isDone = has("is_done") ? sql`${value("is_done")}` : sql`is_done`;
  const lacksDue = sql`(${repeat} IS NOT NULL AND ${dueDate} IS NULL)`;
  const isDoneAlready = has("repeat")
    ? sql`(${repeat} IS NOT NULL AND is_done AND ${isDone})`
    : sql`false`;
  const isTooLong = (hasTooMuch: SQL) => sql`(${hasTooMuch} AND (
    ${has("contents") ? growths.contents : sql`false`} OR ${has("notes") ? growths.notes : sql`false`}
  ))`;
  const completes = sql`(NOT is_done AND ${isDone} AND ${repeat} IS NOT NULL)`;
  const set = (chosen: Field[]) => sql`
    UPDATE ${todos} SET
      ${sql.join(
        chosen.map((field) => assignments[field]),
        sql`, `,
      )},
      rev = (SELECT ${nextRevision} FROM ${users} WHERE ${users.id} = ${todos.user_id}),
      updated_at = ${value("now")}`;
  const isOwn = sql`id = ${value("todo_id")} AND user_id = ${writer}`;
  return {
    outcome: outcomeOf<State>({
      columns: {
        ...visibleIn(todos),
        due_day: sql`${todos.due_day}`,
        is_changed: sql`${todos.rev} = ${nextRevision}`,
        next_id: sql`(
          SELECT next.id FROM ${todos} AS next
          WHERE next.user_id = ${users.id} AND next.rev = ${nextRevision} AND next.id <> ${todos.id}
        )`,
        matches: matches(todos.rev),
        lacks_due: lacksDue,
        is_done_already: isDoneAlready,
        completes,
        is_full: isFull,
        is_too_long: isTooLong(hasTooMuchText),
      },
      joins: sql`LEFT JOIN ${todos}
        ON ${todos.id} = ${value("todo_id")} AND ${todos.user_id} = ${users.id}`,
      todo_id: sql`${todos.id}`,
    }),

    update: statement(sql`
      ${set(fields)}
      WHERE ${isOwn}
        AND (${sql.join(
          fields.map((field) => differences[field]),
          sql` OR `,
        )})
        AND NOT ${lacksDue} AND NOT ${isDoneAlready} AND NOT ${completes} AND ${matches(todos.rev)}
        AND NOT ${isTooLong(ofUser(hasTooMuchText, sql`${todos.user_id}`))}`),

    /** Only if the next todo still follows from the state that was read. */
    complete: statement(sql`
      ${set(fields.filter((field) => field !== "repeat"))}, repeat = NULL
      WHERE ${isOwn} AND ${completes} AND NOT ${lacksDue} AND ${matches(todos.rev)}
        AND (due_date, due_time, due_zone, due_day, repeat) IS (
          ${value("was_date")}, ${value("was_time")}, ${value("was_zone")}, ${value("was_day")},
          ${value("was_repeat")}
        )
        AND NOT ${ofUser(isFull, sql`${todos.user_id}`)}`),
  };
}

/** Inserts the next todo of a series, made from the todo that the statement before has ticked off. */
const addNext = statement(sql`
  INSERT INTO ${todos} (
    user_id, list_id, position, rev, contents, contents_folded, notes, notes_folded, is_done, priority,
    due_date, due_time, due_zone, due_at, due_day, repeat, created_at, updated_at
  )
  SELECT done.user_id, done.list_id,
    ${lastPosition(todos, sql`user_id = done.user_id AND list_id IS done.list_id`)},
    done.rev, done.contents, done.contents_folded, done.notes, done.notes_folded, false, done.priority,
    ${value("next_date")}, ${value("next_time")}, ${value("next_zone")}, ${value("next_at")},
    ${value("next_day")}, ${value("next_repeat")}, ${value("now")}, ${value("now")}
  FROM ${todos} AS done JOIN ${users} ON ${users.id} = done.user_id
  WHERE done.id = ${value("todo_id")} AND done.user_id = ${value("user_id")}
    AND done.rev = ${nextRevision}`);

export interface Changed {
  todo: Todo;
  /** The id of the next todo of its series, if one was added. */
  next?: number;
}

/** The state from which the next todo of a series is made. */
export type Was = Pick<State, "due_date" | "due_time" | "due_zone" | "due_day" | "repeat">;

/** The outcome of a change: it is done, or it would tick off this repeating todo. */
export type ChangeOutcome = { changed: Changed } | { completes: OutcomeRow<State> };

export function todoChanges(services: Services) {
  const { config } = services;
  const prepared = new Map<string, ReturnType<typeof prepare>>();

  function statementsFor(fields: Field[]) {
    const name = fields.sort().join();
    const statements = prepared.get(name) ?? prepare(fields);
    prepared.set(name, statements);
    return statements;
  }

  /**
   * Changes a todo. A repeating todo is ticked off only if its state is still `was`.
   * @throws Failure `validation_failed`. When it runs, also `todo_not_found`, `limit_reached`, `precondition_failed`
   */
  function changeOf(
    asker: Asker,
    todo_id: number,
    change: TodoUpdate,
    if_match: IfMatch,
    was?: Was,
  ): Operation<ChangeOutcome> {
    const columns = columnValues(change);
    if (change.repeat && change.due === null) throw needsDue();
    // `as`: Object.keys loses the type of the names.
    const { outcome, update, complete } = statementsFor(Object.keys(change) as Field[]);
    const values = { ...asker, ...columns, ...limitsOf(config), todo_id, if_match };
    const completing = was && completionOf(was, columns, asker.now);
    const changes = [
      ...(completing ? [complete, addNext] : []),
      // After a completion this statement changes nothing. It is needed if somebody else has ticked off the todo or
      // ended its series.
      update,
    ];
    return operation({ ...values, ...completing }, changes, outcome, judge);
  }

  return {
    changeOf,

    /**
     * Two round trips for ticking off a repeating todo: the first one finds out that it repeats. (There are more if
     * somebody changes its due date between the two.)
     * @throws Failure `unauthorized`, and the failures of `changeOf` and its operation
     */
    async change(
      session: SessionRef,
      todo_id: number,
      change: TodoUpdate,
      if_match: IfMatch,
    ): Promise<Changed> {
      const run = (was?: Was) =>
        runOperation(services, session, (asker) => changeOf(asker, todo_id, change, if_match, was));
      let outcome = await run();
      while ("completes" in outcome) outcome = await run(outcome.completes);
      return outcome.changed;
    },
  };
}

/** @throws Failure `todo_not_found`, `limit_reached`, `precondition_failed`, `validation_failed` */
function judge(found: OutcomeRow<State>): ChangeOutcome {
  if (found.id === null) throw new Failure("todo_not_found");
  const todo = toTodo(found);
  if (found.is_changed) {
    return { changed: { todo, ...(found.next_id !== null && { next: found.next_id }) } };
  }
  if ((found.completes && found.is_full) || found.is_too_long) throw new Failure("limit_reached");
  if (!found.matches) throw preconditionFailed(todo);
  if (found.is_done_already) throw isDoneAlready();
  if (found.lacks_due) throw needsDue();
  // Otherwise there was nothing to change.
  return found.completes ? { completes: found } : { changed: { todo } };
}

/**
 * The state that the todo must have so that its next todo is added, and the columns of this next todo.
 * @throws Failure `validation_failed` when the next due date is after the year 9999
 */
export function completionOf(was: Was, columns: ColumnValues, now: number): Values {
  const { due_date, due_time, due_zone, repeat } = { ...was, ...columns };
  // Without a due date, the change would not complete the todo.
  if (due_date === null) throw needsDue();
  const due: Due = { date: due_date, time: due_time, zone: due_zone };
  const keepsDay = due_date === was.due_date && was.due_day !== null;
  const anchor = keepsDay ? Number(was.due_day) : anchorOf(due);
  const rule = toRepeat(repeat);
  const next = rule && nextDue({ due, anchor }, rule, now);
  if (!next) throw endsBefore10000();
  const nextColumns = dueColumns(next.due, next.anchor);
  return {
    was_date: was.due_date,
    was_time: was.due_time,
    was_zone: was.due_zone,
    was_day: was.due_day,
    was_repeat: was.repeat,
    next_date: nextColumns.due_date,
    next_time: nextColumns.due_time,
    next_zone: nextColumns.due_zone,
    next_at: nextColumns.due_at,
    next_day: nextColumns.due_day,
    next_repeat: repeat,
  };
}
