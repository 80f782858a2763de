/** The descriptions in the OpenAPI document for each part of the client, so that its types can have them too. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApp } from "../src/app.ts";
import { readConfig } from "../src/config.ts";
import { createServices } from "../src/services.ts";
import { nativePlatform } from "../src/start/platform.ts";

/**
 * Texts by their places in the types: `Todo.contents`, `Client.todos.get`, `Client.todos.get(options).query.limit`,
 * `Client.todos.post(body).contents`, `Client.todos.get().data.next_cursor`, `Client.todos(parameters).id` and
 * `Client.todos().patch`, which is the method behind a parameter.
 */
export type Notes = ReadonlyMap<string, string>;

interface Schema {
  $ref?: string;
  description?: string;
  properties?: Record<string, Schema>;
}

type Content = Record<string, { schema?: Schema } | undefined>;

interface Operation {
  summary: string;
  description?: string;
  parameters?: { in: string; name: string; description?: string }[];
  requestBody?: { content: Content };
  responses: Record<string, { content?: Content }>;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

export async function readNotes(): Promise<Notes> {
  const { paths, components } = await readDocument();
  const notes = new Map<string, string>();

  function noteProperties(place: string, schema: Schema = {}) {
    const [, name = ""] = /^#\/components\/schemas\/(.+)$/.exec(schema.$ref ?? "") ?? [];
    const { properties = {} } = components.schemas[name] ?? schema;
    for (const [property, { description }] of Object.entries(properties)) {
      if (description) notes.set(`${place}.${property}`, description);
    }
  }

  for (const [name, schema] of Object.entries(components.schemas)) noteProperties(name, schema);
  for (const [path, methods] of Object.entries(paths)) {
    const segments = path.split("/").filter((segment) => segment !== "");
    const node = ["Client", ...segments].join(".").replaceAll(/\.\{\w+\}/g, "()");
    for (const [method, operation] of Object.entries(methods)) {
      const { summary, description, parameters = [], requestBody, responses } = operation;
      const place = `${node}.${method}`;
      notes.set(place, [summary.replace(/\.?$/, "."), description].filter(Boolean).join("\n\n"));
      for (const { in: where, name, description } of parameters) {
        if (!description) continue;
        if (where === "query") notes.set(`${place}(options).query.${name}`, description);
        if (where === "path")
          notes.set(`${node.replace(/\(\)$/, "")}(parameters).${name}`, description);
      }
      noteProperties(`${place}(body)`, schemaIn(requestBody?.content));
      for (const [status, { content }] of Object.entries(responses)) {
        if (status.startsWith("2")) noteProperties(`${place}().data`, schemaIn(content));
      }
    }
  }
  return notes;
}

const schemaIn = (content?: Content) => content?.["application/json"]?.schema;

/** The document of an app that does not listen, with a temporary database. */
async function readDocument(): Promise<Document> {
  const folder = mkdtempSync(join(tmpdir(), "todos-"));
  const config = readConfig({ DATABASE_URL: `file:${join(folder, "todos.db")}` });
  const services = await createServices(
    config,
    nativePlatform(() => null),
  );
  try {
    const answer = await createApp(services).fetch(new Request("http://localhost/swagger/json"));
    return await answer.json();
  } finally {
    services.database.$client.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
