/** `POST /todos/batch`: operations on todos. Each of them is done as the single request would do it. */
import { sql } from "drizzle-orm";
import { owner } from "../auth/live-session.ts";
import { todos } from "../database/schema.ts";
import { statement } from "../database/statement.ts";
import { Failure, type Problem, problem } from "../http/problem.ts";
import type { Services } from "../services.ts";
import { type Batch, holdIf, isHeld, type Part, runBatchOnce } from "../sync/batch.ts";
import type { Context } from "../sync/idempotency.ts";
import type { Asker, Operation } from "../sync/operation.ts";
import { type IfMatch, isMatch, preconditionFailed } from "../sync/preconditions.ts";
import { checkOperation, type ValidOperation } from "./batch.check.ts";
import type { BatchProblem, OperationResult } from "./batch.model.ts";
import { type ChangeOutcome, completionOf, todoChanges, type Was } from "./change.ts";
import { columnValues } from "./fields.ts";
import type { Todo, TodoUpdate } from "./model.ts";
import { moveTodo } from "./move.ts";
import { todoQueries } from "./queries.ts";
import { toTodo, visibleOf } from "./row.ts";
import { trashQueries } from "./trash.queries.ts";

type Update = Extract<ValidOperation, { op: "update" }>;

/** A todo that a batch may tick off, in its state before the batch. */
interface Candidate extends Was {
  id: number;
  rev: number;
}

const value = (name: string) => sql.placeholder(name);
const isAmong = (name: string) => sql`IN (SELECT value FROM json_each(${value(name)}))`;

/**
 * The next todo of a series is computed here, and not by the database. So a batch that may tick off a repeating todo is
 * stopped until the current state of this todo is known.
 */
const holdUnlessKnown = holdIf(sql`EXISTS (
  SELECT 1 FROM ${todos}
  WHERE ${todos.id} ${isAmong("candidates")} AND ${todos.user_id} = ${owner}
    AND (${todos.repeat} IS NOT NULL OR ${todos.id} ${isAmong("given_repeat")})
    AND NOT ${todos.id} || ' ' || ${todos.rev} ${isAmong("known")}
)`);
const askCandidates = statement<Candidate>(sql`
  SELECT ${visibleOf(todos)}, ${todos.due_day} FROM ${todos}
  WHERE ${todos.id} ${isAmong("candidates")} AND ${todos.user_id} = ${owner} AND ${isHeld}`);

export function todoBatches(services: Services) {
  const { create } = todoQueries(services);
  const { changeOf } = todoChanges(services);
  const { discard } = trashQueries(services);

  /** @throws Failure `validation_failed` */
  function partOf(
    asker: Asker,
    valid: ValidOperation,
    known: Map<number, Candidate>,
  ): Operation<OperationResult> {
    switch (valid.op) {
      case "create":
        return reading(create(asker, valid.fields), (todo) => ({ status: 201, todo }));
      case "update": {
        const judge = (outcome: ChangeOutcome) => judgeChange(outcome, valid.fields, asker.now);
        return reading(update(asker, valid, known), judge);
      }
      case "move":
        return reading(moveTodo(asker, valid.id, valid.fields, null), (todo) => ({
          status: 200,
          todo,
        }));
      case "delete":
        return reading(discard(asker, valid.id, valid.if_match), () => ({ status: 204 }));
    }
  }

  /** @param known the state of the todos after the operations before this one */
  function update(asker: Asker, { id, if_match, fields }: Update, known: Map<number, Candidate>) {
    const was = known.get(id);
    if (was) known.set(id, after(was, fields, if_match));
    if (was && completes(was, fields)) {
      try {
        return changeOf(asker, id, fields, if_match, was);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        // Either the fields are invalid, and the next call throws this again; or there is no next todo, and
        // `judgeChange` reports that.
      }
    }
    return changeOf(asker, id, fields, if_match);
  }

  function batchOf(
    asker: Asker,
    operations: (ValidOperation | Failure)[],
    candidates: Candidate[],
  ): Batch<OperationResult, Candidate> {
    const known = new Map(candidates.map((each) => [each.id, each]));
    const parts = operations.map((each): Part<OperationResult> => {
      if (each instanceof Failure) return each;
      return orFailure(() => partOf(asker, each, known));
    });
    const updates = operations.filter(
      (each): each is Update => "op" in each && each.op === "update",
    );
    const ticks = updates.filter(({ fields }) => fields.is_done && fields.repeat !== null);
    if (ticks.length === 0) return { parts };
    const repeated = updates.filter(({ fields }) => fields.repeat);
    const values = {
      ...asker,
      candidates: idsOf(ticks),
      given_repeat: idsOf(repeated),
      known: JSON.stringify(candidates.map(({ id, rev }) => `${id} ${rev}`)),
    };
    return { parts, hold: { hold: holdUnlessKnown(values), held: askCandidates(values) } };
  }

  return {
    /**
     * Two round trips for a batch that ticks off a repeating todo: the first one finds out that it does. (There are
     * more if somebody changes such a todo between the two.)
     * @throws Failure `unauthorized`, `validation_failed`, `idempotency_key_reused`
     */
    async run(context: Context, given: readonly unknown[]): Promise<OperationResult[]> {
      const operations = given.map((each) => orFailure(() => checkOperation(each)));
      for (let candidates: Candidate[] = []; ; ) {
        const outcome = await runBatchOnce(services, context, (asker) =>
          batchOf(asker, operations, candidates),
        );
        if ("held" in outcome) candidates = outcome.held;
        else return outcome.results.map((result) => toResult(result, outcome.requestId));
      }
    },
  };
}

const idsOf = (updates: Update[]) => JSON.stringify(updates.map(({ id }) => id));

/** The same operation with its result converted. */
const reading = <A, B>(operation: Operation<A>, map: (result: A) => B): Operation<B> => ({
  ...operation,
  read: (row) => map(operation.read(row)),
});

function orFailure<T>(make: () => T): T | Failure {
  try {
    return make();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}

/** The state of a todo after a change. The change may be refused, and then the state stays. */
function after(was: Candidate, fields: TodoUpdate, if_match: IfMatch): Candidate {
  const columns = orFailure(() => columnValues(fields));
  if (columns instanceof Failure) return was;
  if (!isMatch(if_match, was.rev)) return was;
  const keepsDay = columns.due_date === undefined || columns.due_date === was.due_date;
  // The database gives it the next revision, which is not known here.
  const now = { ...was, ...columns, ...(keepsDay && { due_day: was.due_day }), rev: Number.NaN };
  if (now.repeat !== null && now.due_date === null) return was;
  return completes(was, fields) ? { ...now, repeat: null } : now;
}

/** Whether a change would tick off a todo that repeats, provided that the todo is open. */
function completes(was: Was, { is_done, due, repeat }: TodoUpdate): boolean {
  const hasDue = due === undefined ? was.due_date !== null : due !== null;
  const repeats = repeat === undefined ? was.repeat !== null : repeat !== null;
  return is_done === true && hasDue && repeats;
}

/** @throws Failure `validation_failed`, `precondition_failed` */
function judgeChange(outcome: ChangeOutcome, fields: TodoUpdate, now: number): OperationResult {
  if ("changed" in outcome) return { status: 200, todo: outcome.changed.todo };
  const { completes } = outcome;
  // The series may have no next todo.
  completionOf(completes, columnValues(fields), now);
  // An operation before this one has left the todo in another state than expected: it was refused itself, or it has
  // just added the repetition.
  throw preconditionFailed(toTodo(completes));
}

function toResult(result: OperationResult | Failure, requestId: string): OperationResult {
  if (!(result instanceof Failure)) return result;
  const { body } = problem(result.code, requestId, result.particulars);
  // `as`: the operations throw nothing else, and `current` is a todo.
  return { status: body.status, problem: body as BatchProblem & Problem & { current?: Todo } };
}
