/** The input and output of `/todos/batch`. */
import { Kind, type TObject, type TProperties, TypeRegistry } from "@sinclair/typebox";
import { t } from "elysia";
import { type Problem, problemSchema } from "../http/problem.ts";
import { Id, Integer } from "../model/values.ts";
import { Todo, TodoCreate, TodoMove, TodoUpdate } from "./model.ts";

const ifMatch = t.Optional(
  Integer({
    format: "int64",
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: "A `rev`, 0 or more: the operation is refused when the todo has another by now.",
    examples: [7],
  }),
);

const op = <Name extends string>(name: Name) =>
  t.Literal(name, { description: `What to do: ${name}.`, examples: [name] });

/** The members that name an operation and its todo, besides the fields of the single request. */
export const operationNames = {
  create: { op: op("create") },
  update: { op: op("update"), id: Id, if_match: ifMatch },
  move: { op: op("move"), id: Id },
  delete: { op: op("delete"), id: Id, if_match: ifMatch },
};

const operation = <Names extends TProperties, Fields extends TProperties>(
  names: Names,
  fields: TObject<Fields>,
  title: string,
  description: string,
) =>
  t.Object({ ...names, ...fields.properties }, { title, description, additionalProperties: false });

/** The fields of a deletion. */
export const NoFields = t.Object(
  {},
  { description: "op, id and if_match, and nothing else.", additionalProperties: false },
);

const operations = [
  operation(operationNames.create, TodoCreate, "CreateOperation", "As `POST /todos`."),
  operation(operationNames.update, TodoUpdate, "UpdateOperation", "As `PATCH /todos/{id}`."),
  operation(operationNames.move, TodoMove, "MoveOperation", "As `POST /todos/{id}/move`."),
  operation(operationNames.delete, NoFields, "DeleteOperation", "As `DELETE /todos/{id}`."),
] as const;

// `batch.check.ts` checks each operation by itself. So an invalid operation does not prevent the others.
TypeRegistry.Set("LaterChecked", () => true);

type BatchOperation = (typeof operations)[number]["static"];

export const TodoBatch = t.Object(
  {
    operations: t.Array(
      t.Unsafe<BatchOperation>({
        [Kind]: "LaterChecked",
        anyOf: operations,
        description: "An operation: create, update, move or delete.",
      }),
      {
        minItems: 1,
        maxItems: 100,
        description: "1 to 100 operations, each of them create, update, move or delete.",
        examples: [[{ op: "create", contents: "Buy milk" }]],
      },
    ),
  },
  { title: "TodoBatch", additionalProperties: false },
);

const refusals = [
  "limit_reached",
  "todo_not_found",
  "list_not_found",
  "precondition_failed",
  "validation_failed",
] as const;

export type BatchProblem = Problem<(typeof refusals)[number]>;

const { required = [], ...problem } = problemSchema(refusals);
const BatchProblem = t.Unsafe<BatchProblem & { current?: Todo }>({
  ...problem,
  title: "OperationProblem",
  description: "Why it was refused: the problem of the single request.",
  properties: {
    ...problem.properties,
    current: { ...Todo, description: "With 412 alone: the todo as it is now." },
  },
  required: required.filter((name) => name !== "errors"),
});

const OperationResult = t.Object(
  {
    status: Integer({
      description: "The status that the single request would have.",
      examples: [201],
    }),
    todo: t.Optional(Todo),
    problem: t.Optional(BatchProblem),
  },
  { title: "OperationResult", description: "What became of an operation." },
);

export const TodoBatchResults = t.Object(
  {
    results: t.Array(OperationResult, {
      description: "Of each operation, in their order: its todo, its problem, or neither (204).",
    }),
  },
  { title: "TodoBatchResults", description: "What became of each operation." },
);

export type TodoBatchResults = typeof TodoBatchResults.static;
export type OperationResult = typeof OperationResult.static;
