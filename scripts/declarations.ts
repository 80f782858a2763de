/**
 * Writes out the types of the client as plain ones, without generics or imports: whoever installs the package needs
 * neither Elysia nor Eden nor anything of the server, and leaves their compiler nothing to work out.
 */
import { join } from "node:path";
import ts from "typescript-5";

const ROOT = join(import.meta.dirname, "..");

/** What every runtime's own types have; these stay as they are. */
const GLOBALS = new Set(["AbortSignal", "Headers", "Promise", "RequestInit", "Response"]);

const PLAIN =
  ts.TypeFlags.String |
  ts.TypeFlags.Number |
  ts.TypeFlags.StringLiteral |
  ts.TypeFlags.NumberLiteral |
  ts.TypeFlags.BooleanLiteral |
  ts.TypeFlags.Void |
  ts.TypeFlags.Undefined |
  ts.TypeFlags.Null |
  ts.TypeFlags.Never |
  ts.TypeFlags.Unknown;

/**
 * The text of the `.d.ts` for what the module at `entry` exports.
 * @throws Error for a type that has no plain form, or that a runtime may not know
 */
export function declarationsOf(entry: string): string {
  const { checker, exports } = load([entry]);
  /** The exported types' names by their text: wherever that text comes up again, the name stands for it. */
  const names = new Map<string, string>();

  function print(type: ts.Type): string {
    const text = printWhole(type);
    return names.get(text) ?? text;
  }

  function printWhole(type: ts.Type): string {
    if (type.isUnion()) return printUnion(type);
    if (type.flags & PLAIN) return checker.typeToString(type);
    if (checker.isTupleType(type)) return `[${argumentsOf(type).join(", ")}]`;
    if (checker.isArrayType(type)) return `Array<${argumentsOf(type)}>`;
    if (isGlobal(type)) {
      const args = argumentsOf(type);
      return type.symbol.name + (args.length > 0 ? `<${args}>` : "");
    }
    if (type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) return printObject(type);
    throw new Error(`Cannot write out the type ${checker.typeToString(type)}`);
  }

  function argumentsOf(type: ts.Type): string[] {
    // What has a `target` is a generic type with its arguments, which the compiler's API has no test for.
    return "target" in type ? checker.getTypeArguments(type as ts.TypeReference).map(print) : [];
  }

  function printUnion(type: ts.UnionType): string {
    if (type.flags & ts.TypeFlags.Boolean) return "boolean";
    const members = type.types.map((each) => {
      const text = print(each);
      return text.startsWith("(") ? `(${text})` : text;
    });
    const isLast = (text: string) => text === "null" || text === "undefined";
    return [...members.filter((text) => !isLast(text)), ...members.filter((text) => isLast(text))]
      .join(" | ")
      .replace("false | true", "boolean");
  }

  /** Of an intersection of objects too: it has the members of each. */
  function printObject(type: ts.Type): string {
    const signatures = type.getCallSignatures().map(printSignature);
    const properties = type.getProperties().map((each) => {
      const name = /^[a-z_$][\w$]*$/i.test(each.name) ? each.name : JSON.stringify(each.name);
      const mark = each.flags & ts.SymbolFlags.Optional ? "?" : "";
      return `${commentOf(each)}${name}${mark}: ${print(checker.getTypeOfSymbol(each))};`;
    });
    const [only] = signatures;
    if (only && signatures.length === 1 && properties.length === 0) {
      return `(${only.parameters}) => ${only.result}`;
    }
    const members = [
      ...signatures.map(({ parameters, result }) => `(${parameters}): ${result};`),
      ...checker
        .getIndexInfosOfType(type)
        .map((each) => `[key: ${print(each.keyType)}]: ${print(each.type)};`),
      ...properties,
    ];
    return members.length > 0 ? `{\n${members.join("\n")}\n}` : "{}";
  }

  function printSignature(signature: ts.Signature) {
    if (signature.typeParameters) throw new Error("Cannot write out a generic function");
    const parameters = signature.parameters.map((each) => {
      const declared = each.valueDeclaration;
      const isOptional =
        declared && ts.isParameter(declared) && checker.isOptionalParameter(declared);
      return `${each.name}${isOptional ? "?" : ""}: ${print(checker.getTypeOfSymbol(each))}`;
    });
    return { parameters: parameters.join(", "), result: print(signature.getReturnType()) };
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
    return text && `/**\n${text.replaceAll(/^/gm, " * ")}\n */\n`;
  }

  const types = exports
    .filter(({ isType }) => isType)
    .map(({ name, symbol, type }) => {
      const text = printWhole(type);
      names.set(text, name);
      if (name === "Problems") {
        for (const each of type.getProperties()) {
          names.set(print(checker.getTypeOfSymbol(each)), `${name}["${each.name}"]`);
        }
      }
      return `${commentOf(symbol)}export type ${name} = ${text};`;
    });
  const functions = exports
    .filter(({ isType }) => !isType)
    .flatMap(({ name, symbol, type }) =>
      type.getCallSignatures().map((each) => {
        const { parameters, result } = printSignature(each);
        return `${commentOf(symbol)}export declare function ${name}(${parameters}): ${result};`;
      }),
    );
  const text = [...types, ...functions].join("\n");
  const file = ts.createSourceFile("client.d.ts", text, ts.ScriptTarget.ESNext);
  return ts.createPrinter().printFile(file);
}

/**
 * Checks that what `built` exports is what `entry` does: each type fits where the other is wanted.
 * @throws Error
 */
export function assertSameTypes(entry: string, built: string): void {
  const { checker, exports, exportsOf } = load([entry, built]);
  const others = new Map(exportsOf(built).map(({ name, type }) => [name, type]));
  for (const { name, type } of exports) {
    const other = others.get(name);
    const isSame =
      other && checker.isTypeAssignableTo(type, other) && checker.isTypeAssignableTo(other, type);
    if (!isSame) throw new Error(`${name} was not written out as it is`);
  }
}

function isGlobal({ symbol }: ts.Type): boolean {
  // Types made by an expression have no symbol, whatever the compiler's API says.
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
    // What may be left out may be undefined too: JSON and Eden both drop it.
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

  return { checker, exports: exportsOf(entries[0]), exportsOf };
}
