/** The values of a todo's fields, in requests and in answers. */
import { Kind, TypeRegistry } from "@sinclair/typebox";
import { t } from "elysia";
import { MULTILINE, NonBlankText, Text } from "../model/text.ts";
import { Instant, Integer } from "../model/values.ts";
import { isDate, isZone } from "./due.ts";

TypeRegistry.Set("CivilDate", (_, value) => typeof value === "string" && isDate(value));
TypeRegistry.Set("TimeZone", (_, value) => typeof value === "string" && isZone(value));

/** A date that exists in the calendar: February 30 does not. */
export const CivilDate = (description: string, example = "2026-11-30") =>
  t.Unsafe<string>({
    [Kind]: "CivilDate",
    type: "string",
    format: "date",
    maxLength: 10,
    description: `A date as YYYY-MM-DD${description}`,
    examples: [example],
  });

export const contents = NonBlankText({
  description:
    "1 to 1000 characters, not only white space; no control characters but tab and newline.",
  minLength: 1,
  maxLength: 1000,
  pattern: MULTILINE,
  examples: ["Buy milk"],
});

const NOTES =
  "1 to 10000 characters, not only white space, or null; no control characters but tab and newline.";

export const notes = t.Nullable(
  NonBlankText({
    description: NOTES,
    minLength: 1,
    maxLength: 10_000,
    pattern: MULTILINE,
    examples: ["The one with the blue cap"],
  }),
  { description: NOTES },
);

export const isDone = t.Boolean({
  description: "true or false: whether it is ticked off.",
  examples: [false],
});

export const priority = Integer({
  minimum: 0,
  maximum: 3,
  description: "0 (none) to 3 (high).",
  examples: [0],
});

const TIME = "A time of day as HH:MM, 00:00 to 23:59; null means all day.";
const ZONE =
  "The IANA name of a time zone, only with a time; null means the time zone of the reader.";
const AT = "Text or null. It is ignored, so that what was read can be sent back.";

export const DueInput = t.Object(
  {
    date: CivilDate("."),
    time: t.Optional(
      t.Nullable(
        t.String({
          maxLength: 5,
          pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$",
          description: TIME,
          examples: ["09:30"],
        }),
        { description: TIME },
      ),
    ),
    zone: t.Optional(
      t.Nullable(
        t.Unsafe<string>({
          [Kind]: "TimeZone",
          type: "string",
          format: "time-zone",
          maxLength: 64,
          description: ZONE,
          examples: ["Asia/Seoul"],
        }),
        { description: ZONE },
      ),
    ),
    at: t.Optional(
      t.Nullable(
        Text({
          minLength: 0,
          maxLength: 64,
          description: AT,
          examples: ["2026-11-30T00:30:00.000Z"],
        }),
        { description: AT },
      ),
    ),
  },
  {
    title: "DueInput",
    description: "An object with a date, and perhaps a time and a zone; or null.",
    additionalProperties: false,
  },
);

export const Due = t.Object(
  {
    date: CivilDate("."),
    time: t.Nullable(t.String({ description: TIME, examples: ["09:30"] })),
    zone: t.Nullable(t.String({ description: ZONE, examples: ["Asia/Seoul"] })),
    at: t.Nullable(Instant("The instant in UTC (RFC 3339), where there is a zone.")),
  },
  {
    title: "Due",
    description:
      "When it is due. Without a time, it is due all day, in the time zone of the reader.",
  },
);

export const Repeat = t.Object(
  {
    every: Integer({
      minimum: 1,
      maximum: 365,
      description: "1 to 365: how many units.",
      examples: [1],
    }),
    unit: t.Union([t.Literal("day"), t.Literal("week"), t.Literal("month"), t.Literal("year")], {
      description: "day, week, month or year.",
      examples: ["week"],
    }),
    weekdays: t.Optional(
      t.Array(
        Integer({
          minimum: 1,
          maximum: 7,
          description: "1 (Monday) to 7 (Sunday).",
          examples: [1],
        }),
        {
          minItems: 1,
          maxItems: 7,
          uniqueItems: true,
          description: "1 to 7 different ISO weekdays; only with weeks, counted from the due date.",
          examples: [[1, 4]],
        },
      ),
    ),
    from: t.Union([t.Literal("due"), t.Literal("done")], {
      description: "due or done: whether it is counted from the due date or from when it is done.",
      examples: ["due"],
    }),
  },
  {
    title: "Repeat",
    description: "An object with every, unit and from, and perhaps weekdays; or null.",
    additionalProperties: false,
  },
);
