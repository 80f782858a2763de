/**
 * Writes the types of the client as plain types, without generics and imports. So a user of the package does not need
 * Elysia, Eden or the code of the server, and the compiler has little to do.
 */
import { join } from "node:path";
import ts from "typescript-5";
import type { Notes } from "./notes.ts";

const ROOT = join(import.meta.dirname, "..");

/** Types that every runtime has. Their names stay as they are. */
const GLOBALS = new Set(["AbortSignal", "Headers", "Promise", "RequestInit", "Response"]);

const PLAIN =
  ts.TypeFlags.String |
  ts.TypeFlags.Number |
  ts.TypeFlags.StringLiteral |
  ts.TypeFlags.NumberLiteral |
  ts.TypeFlags.BooleanLiteral |
  ts.TypeFlags.TemplateLiteral |
  ts.TypeFlags.NonPrimitive |
  ts.TypeFlags.Void |
  ts.TypeFlags.Undefined |
  ts.TypeFlags.Null |
  ts.TypeFlags.Never |
  ts.TypeFlags.Unknown;

/**
 * The text of the `.d.ts` for the exports of the module at `entry`, with `notes` as comments in their places.
 * @throws Error for a type that has no plain form, or that some runtime may not know
 */
export function declarationsOf(entry: string, notes: Notes): string {
  const { checker, exports } = load([entry]);
  /** The exported types by their bare texts. The name replaces the text everywhere except in its own definition. */
  const named = new Map<string, { name: string; place: string }>();
  const bareTexts = new Map<ts.Type, string>();

  /**
   * @param place the place of the type among the exported ones, for its notes. Without a place, the text has no names
   *   and notes, so that types can be compared by it.
   */
  function print(type: ts.Type, place?: string): string {
    const bare = bareTexts.get(type) ?? printWhole(type);
    bareTexts.set(type, bare);
    if (place === undefined) return bare;
    const known = named.get(bare);
    return known && known.place !== place ? known.name : printWhole(type, place);
  }

  function printWhole(type: ts.Type, place?: string): string {
    if (type.isUnion()) return printUnion(type, place);
    if (type.flags & PLAIN) return checker.typeToString(type);
    if (checker.isTupleType(type)) return `[${argumentsOf(type, place).join(", ")}]`;
    if (checker.isArrayType(type)) return `${type.symbol.name}<${argumentsOf(type, place)}>`;
    if (isGlobal(type)) {
      const args = argumentsOf(type, place);
      return type.symbol.name + (args.length > 0 ? `<${args}>` : "");
    }
    if (type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) {
      return printObject(type, place);
    }
    throw new Error(`Cannot write out the type ${checker.typeToString(type)}`);
  }

  function argumentsOf(type: ts.Type, place?: string): string[] {
    return typeArguments(type).map((each) => print(each, place));
  }

  function typeArguments(type: ts.Type): readonly ts.Type[] {
    // A type with a `target` is a generic type with arguments. The compiler's API has no test for that.
    return "target" in type ? checker.getTypeArguments(type as ts.TypeReference) : [];
  }

  function printUnion(type: ts.UnionType, place?: string): string {
    if (type.flags & ts.TypeFlags.Boolean) return "boolean";
    const members = type.types.map((each) => {
      const text = print(each, place);
      return text.startsWith("(") ? `(${text})` : text;
    });
    const isLast = (text: string) => text === "null" || text === "undefined";
    return [...members.filter((text) => !isLast(text)), ...members.filter((text) => isLast(text))]
      .join(" | ")
      .replace("false | true", "boolean");
  }

  /** An object type, or an intersection of object types, which has the members of all of them. */
  function printObject(type: ts.Type, place?: string): string {
    const signatures = type.getCallSignatures().map((each) => printSignature(each, place));
    const properties = type.getProperties().map((each) => {
      const name = /^[a-z_$][\w$]*$/i.test(each.name) ? each.name : JSON.stringify(each.name);
      const mark = each.flags & ts.SymbolFlags.Optional ? "?" : "";
      const inner = place === undefined ? undefined : `${place}.${each.name}`;
      const comment = inner === undefined ? "" : commentOf(each) || commentFrom(notes.get(inner));
      return `${comment}${name}${mark}: ${print(checker.getTypeOfSymbol(each), inner)};`;
    });
    const [only] = signatures;
    if (only && signatures.length === 1 && properties.length === 0) {
      return `(${only.parameters}) => ${only.result}`;
    }
    const members = [
      ...signatures.map(({ parameters, result }) => `(${parameters}): ${result};`),
      ...checker
        .getIndexInfosOfType(type)
        .map((each) => `[key: ${print(each.keyType, place)}]: ${print(each.type, place)};`),
      ...properties,
    ];
    return members.length > 0 ? `{\n${members.join("\n")}\n}` : "{}";
  }

  function printSignature(signature: ts.Signature, place?: string) {
    if (signature.typeParameters) throw new Error("Cannot write out a generic function");
    const parameters = signature.parameters.flatMap(parametersOf).map(({ name, mark, type }) => {
      const inner = place === undefined ? undefined : `${place}(${name})`;
      return `${name}${mark}: ${print(type, inner)}`;
    });
    const result = print(signature.getReturnType(), place === undefined ? undefined : `${place}()`);
    return { parameters: parameters.join(", "), result };
  }

  /** A parameter with its name. For a rest parameter with a tuple type, the elements of the tuple with their names. */
  function parametersOf(symbol: ts.Symbol) {
    const declared = symbol.valueDeclaration;
    const type = checker.getTypeOfSymbol(symbol);
    if (!declared || !ts.isParameter(declared)) return [{ name: symbol.name, mark: "", type }];
    if (!declared.dotDotDotToken) {
      return [{ name: symbol.name, mark: checker.isOptionalParameter(declared) ? "?" : "", type }];
    }
    if (!checker.isTupleType(type)) throw new Error(`Cannot write out ...${symbol.name}`);
    // `isTupleType` does not narrow: a tuple is a reference to its shape, with its elements as arguments.
    const { elementFlags, labeledElementDeclarations } = (type as ts.TupleTypeReference).target;
    return typeArguments(type).map((element, i) => ({
      name: labeledElementDeclarations?.[i]?.name.getText() ?? `${symbol.name}${i}`,
      mark: (elementFlags[i] ?? 0) & ts.ElementFlags.Optional ? "?" : "",
      type: element,
    }));
  }

  function commentOf(symbol: ts.Symbol): string {
    const tags = symbol.getJsDocTags(checker).map(({ name, text }) => ({
      name,
      text: ts.displayPartsToString(text),
    }));
    const text = [
      ts.displayPartsToString(symbol.getDocumentationComment(checker)),
      ...tags.map((each) => `@${each.name} ${each.text}`),
    ]
      .filter((line) => line !== "")
      .join("\n");
    return commentFrom(text);
  }

  const exportedTypes = exports.filter(({ isType }) => isType);
  for (const { name, type } of exportedTypes) {
    named.set(print(type), { name, place: name });
    if (name !== "Problems") continue;
    for (const each of type.getProperties()) {
      const text = print(checker.getTypeOfSymbol(each));
      named.set(text, { name: `${name}["${each.name}"]`, place: `${name}.${each.name}` });
    }
  }
  const types = exportedTypes.map(
    ({ name, symbol, type }) => `${commentOf(symbol)}export type ${name} = ${print(type, name)};`,
  );
  const functions = exports
    .filter(({ isType }) => !isType)
    .flatMap(({ name, symbol, type }) =>
      type.getCallSignatures().map((each) => {
        const { parameters, result } = printSignature(each, name);
        return `${commentOf(symbol)}export declare function ${name}(${parameters}): ${result};`;
      }),
    );
  const text = [...types, ...functions].join("\n");
  const file = ts.createSourceFile("types.d.ts", text, ts.ScriptTarget.ESNext);
  return ts.createPrinter().printFile(file);
}

/**
 * Checks that the exports of `built` and of `entry` are the same: each type must be assignable to the other.
 * @throws Error
 */
export function assertSameTypes(entry: string, built: string): void {
  const { checker, exports, exportsOf, errorsIn } = load([entry, built]);
  // Types that the compiler cannot resolve become `any`, which is assignable to everything.
  const [error] = errorsIn(built);
  if (error) throw new Error(`${built}: ${error}`);
  const others = new Map(exportsOf(built).map(({ name, type }) => [name, type]));
  for (const { name, type } of exports) {
    const other = others.get(name);
    const isSame =
      other && checker.isTypeAssignableTo(type, other) && checker.isTypeAssignableTo(other, type);
    if (!isSame) throw new Error(`${name} was not written out as it is`);
  }
}

const commentFrom = (text = "") =>
  text && `/**\n${text.replaceAll("*/", "*\\/").replaceAll(/^/gm, " * ")}\n */\n`;

function isGlobal({ symbol }: ts.Type): boolean {
  // Types that an expression creates have no symbol, although the compiler's API says that they have.
  if (!symbol || GLOBALS.has(symbol.name)) return symbol !== undefined;
  const isNamed = symbol.flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.Class);
  const isLibrary = symbol.declarations?.some((each) =>
    /\/node_modules\/(?!@elysiajs\/eden\/)/.test(each.getSourceFile().fileName),
  );
  if (isNamed && isLibrary) throw new Error(`${symbol.name} is not among the globals to rely on`);
  return false;
}

function load(entries: [string, ...string[]]) {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), ts.sys.readFile);
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const ambient = fileNames.filter((file) => file.endsWith(".d.ts"));
  const program = ts.createProgram([...entries, ...ambient], {
    ...options,
    // A member that may be missing may also be undefined: JSON and Eden both leave it out.
    exactOptionalPropertyTypes: false,
  });
  const checker = program.getTypeChecker();

  function exportsOf(path: string) {
    const file = program.getSourceFile(path);
    const module = file && checker.getSymbolAtLocation(file);
    if (!module) throw new Error(`${path} is no module`);
    return checker.getExportsOfModule(module).map((each) => {
      const isAlias = each.flags & ts.SymbolFlags.Alias;
      const symbol = isAlias ? checker.getAliasedSymbol(each) : each;
      const isType = (symbol.flags & ts.SymbolFlags.Type) !== 0;
      return {
        name: each.name,
        symbol,
        isType,
        type: isType ? checker.getDeclaredTypeOfSymbol(symbol) : checker.getTypeOfSymbol(symbol),
      };
    });
  }

  const errorsIn = (path: string) =>
    program
      .getSemanticDiagnostics(program.getSourceFile(path))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));

  return { checker, exports: exportsOf(entries[0]), exportsOf, errorsIn };
}
