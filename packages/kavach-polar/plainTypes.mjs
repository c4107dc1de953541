/**
 * Writes the types of a module's exports so that they need no package of ours and no Effect: what comes from Effect's
 * schemas is written out as what it is, and errors become classes that extend Error.
 *
 * It reads the declarations that tsc made, so it follows them by itself. A type that cannot be written without Effect is an
 * error of the build, which names it.
 */
import { sep } from "node:path"
import ts from "typescript"

const options = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  noEmit: true
}

/** The declarations of everything that the module exports. */
export const plainTypes = (file) => {
  const writer = makeWriter(file)
  for (const symbol of writer.checker.getExportsOfModule(writer.module)) writer.declare(symbol)
  return `${writer.text()}\n`
}

/** One type of a module, written out, as the right side of an alias. */
export const typeOf = (file, name) => {
  const { checker, module, print } = writerOf(file)
  const symbol = checker.getExportsOfModule(module).find((exported) => exported.name === name)
  if (symbol === undefined) throw new Error(`${file} exports no ${name}`)
  return print(checker.getDeclaredTypeOfSymbol(resolved(checker, symbol)), { expand: true })
}

const resolved = (checker, symbol) =>
  (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol)

const writers = new Map()

const writerOf = (file) => {
  const writer = writers.get(file) ?? makeWriter(file)
  writers.set(file, writer)
  return writer
}

const makeWriter = (file) => {
  const program = ts.createProgram([file], options)
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(file)
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source)
  if (module === undefined) throw new Error(`${file} is no module: build @kavach-polar/http first`)

  /** Name to text; `undefined` while it is being written. */
  const declarations = new Map()
  /** What is written under which name: two types of one name would be one here. */
  const owners = new Map()
  const nodeTypes = new Set()
  let indent = ""

  const fileOf = (symbol) => symbol.declarations?.[0]?.getSourceFile().fileName ?? ""
  const isOurs = (symbol) => /\/packages\/[^/]+\/dist\/|@kavach-polar\//.test(fileOf(symbol).split(sep).join("/"))
  const isGlobal = (symbol) =>
    /\/typescript\/lib\/lib\.|\/@types\/node\/((web-)?globals|compatibility)|\/undici-types\//.test(fileOf(symbol))
  const isOfNode = (symbol) => /\/@types\/node\//.test(fileOf(symbol))
  const isOfEffect = (symbol) => /\/node_modules\/(effect|@effect)\//.test(fileOf(symbol))

  const docOf = (symbol) => {
    for (const node of symbol.declarations ?? []) {
      const [doc] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc)
      if (doc === undefined) continue
      const lines = doc
        .getText()
        // Examples are for who has this package.
        .replaceAll('"@kavach-polar/http"', '"kavach-polar"')
        .split("\n")
        .map((line, index) => (index === 0 ? line : ` ${line.trim()}`))
      return lines.map((line) => `${indent}${line}\n`).join("")
    }
    return ""
  }

  const inner = (write) => {
    const before = indent
    indent += "  "
    try {
      return write()
    } finally {
      indent = before
    }
  }

  const members = (type, isWanted = () => true) =>
    checker
      .getPropertiesOfType(type)
      .filter(isWanted)
      .map((property) => {
        const own = checker.getTypeOfSymbol(property)
        const isOptional = (property.flags & ts.SymbolFlags.Optional) !== 0
        const isReadonly =
          (ts.getCheckFlags?.(property) & ts.CheckFlags?.Readonly) !== 0 ||
          (ts.getDeclarationModifierFlagsFromSymbol(property) & ts.ModifierFlags.Readonly) !== 0
        const name = /^[A-Za-z_$][\w$]*$/.test(property.name) ? property.name : JSON.stringify(property.name)
        return `${docOf(property)}${indent}${isReadonly ? "readonly " : ""}${name}${isOptional ? "?" : ""}: ${print(own)}\n`
      })
      .join("")

  const object = (type) => {
    const indexes = checker.getIndexInfosOfType(type)
    const body = inner(
      () =>
        indexes
          .map(
            ({ isReadonly, keyType, type: value }) =>
              `${indent}${isReadonly ? "readonly " : ""}[key: ${print(keyType)}]: ${print(value)}\n`
          )
          .join("") + members(type)
    )
    return body === "" ? "object" : `{\n${body}${indent}}`
  }

  const signature = (call, arrow) => {
    const node = call.getDeclaration()
    const parameters = call.getParameters().map((parameter) => {
      const declaration = parameter.valueDeclaration
      const isOptional =
        declaration !== undefined && ts.isParameter(declaration) && checker.isOptionalParameter(declaration)
      const isRest =
        declaration !== undefined && ts.isParameter(declaration) && declaration.dotDotDotToken !== undefined
      const type = checker.getTypeOfSymbolAtLocation(parameter, node)
      return `${isRest ? "..." : ""}${parameter.name}${isOptional ? "?" : ""}: ${print(type)}`
    })
    const predicate = checker.getTypePredicateOfSignature(call)
    if (predicate !== undefined) throw new Error("a type predicate cannot be written yet")
    return `(${parameters.join(", ")})${arrow} ${print(call.getReturnType())}`
  }

  /** `expand`: not by its name. */
  const print = (type, { expand = false } = {}) => {
    const { flags } = type
    const alias = type.aliasSymbol
    if (!expand && alias !== undefined && isOurs(alias)) return named(alias, type.aliasTypeArguments)
    if (alias !== undefined && isGlobal(alias) && ["Record", "Readonly", "Partial"].includes(alias.name)) {
      return `${alias.name}<${(type.aliasTypeArguments ?? []).map((one) => print(one)).join(", ")}>`
    }
    if (flags & (ts.TypeFlags.StringLiteral | ts.TypeFlags.NumberLiteral)) return JSON.stringify(type.value)
    if (flags & ts.TypeFlags.TypeParameter) return type.symbol.name
    if (type.isUnion()) return union(type)
    if (type.isIntersection()) return intersection(type)
    if (!(flags & ts.TypeFlags.Object)) return checker.typeToString(type)
    const reference = /** @type {ts.TypeReference} */ (type)
    if (checker.isArrayType(type)) {
      const [item] = checker.getTypeArguments(reference)
      return `${type.symbol.name === "ReadonlyArray" ? "ReadonlyArray" : "Array"}<${print(item)}>`
    }
    if (checker.isTupleType(type)) {
      const items = checker.getTypeArguments(reference).map((item) => print(item))
      return `${reference.target.readonly ? "readonly " : ""}[${items.join(", ")}]`
    }
    const { symbol } = type
    const isNamed = symbol !== undefined && !/^__(type|object|function)$/.test(symbol.name)
    if (isNamed && symbol.flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.Class)) {
      if (isOurs(symbol)) return expand ? object(type) : named(symbol, checker.getTypeArguments(reference))
      if (isOfNode(symbol) && !isGlobal(symbol)) {
        nodeTypes.add(symbol.name)
        return symbol.name
      }
      if (isGlobal(symbol) || isOfNode(symbol)) {
        const args = checker.getTypeArguments(reference).filter((one) => !(one.flags & ts.TypeFlags.Any))
        const shown = args.slice(0, symbol.name === "Promise" ? 1 : args.length)
        return shown.length === 0 || /^(Request|Response|AbortSignal|Uint8Array)$/.test(symbol.name)
          ? symbol.name
          : `${symbol.name}<${shown.map((one) => print(one)).join(", ")}>`
      }
      if (isOfEffect(symbol)) throw new Error(`${symbol.name} of Effect is in the types of kavach-polar`)
      throw new Error(`${symbol.name} of ${fileOf(symbol)} is in the types of kavach-polar`)
    }
    const calls = type.getCallSignatures()
    if (calls.length === 1 && checker.getPropertiesOfType(type).length === 0) return signature(calls[0], " =>")
    return object(type)
  }

  const union = (type) => {
    const isBoolean = ({ flags }) => (flags & ts.TypeFlags.BooleanLiteral) !== 0
    // `true | false`; one of them alone is itself.
    const isWhole = type.types.filter(isBoolean).length === 2
    const parts = type.types.map((one) =>
      isBoolean(one) ? (isWhole ? "boolean" : checker.typeToString(one)) : print(one).replace(/^(\(.*=>.*)$/s, "($1)")
    )
    const isLast = (part) => part === "null" || part === "undefined"
    const all = [...new Set(parts)]
    return [...all.filter((part) => !isLast(part)), ...all.filter(isLast)].join(" | ")
  }

  /** A branded id is the text that it is; `string & {}` is any text beside those that are named. */
  const intersection = (type) => {
    const primitive = type.types.find((one) => one.flags & (ts.TypeFlags.String | ts.TypeFlags.Number))
    if (primitive !== undefined) {
      const isOpen = type.types.some((one) => one.flags & ts.TypeFlags.Object && one.getProperties().length === 0)
      return isOpen ? "(string & {})" : checker.typeToString(primitive)
    }
    const named = type.types.map((one) => print(one))
    return named.map((part) => (part.includes("=>") ? `(${part})` : part)).join(" & ")
  }

  const named = (symbol, args = []) => {
    declare(symbol)
    return args.length === 0 ? symbol.name : `${symbol.name}<${args.map((one) => print(one)).join(", ")}>`
  }

  const declare = (given) => {
    const symbol = resolved(checker, given)
    const owner = owners.get(symbol.name)
    if (owner === symbol) return
    if (owner !== undefined) throw new Error(`two types are called ${symbol.name}`)
    owners.set(symbol.name, symbol)
    const before = indent
    indent = ""
    try {
      declarations.set(
        symbol.name,
        `${docOf(symbol)}export declare ${declaration(symbol)}\n`
          .replace("declare interface", "interface")
          .replace("declare type", "type")
      )
    } finally {
      indent = before
    }
  }
  const declaration = (symbol) => {
    const [node] = symbol.declarations ?? []
    if (symbol.flags & ts.SymbolFlags.Class) return classOf(symbol)
    if (symbol.flags & ts.SymbolFlags.Interface) return generic(symbol, node) ?? interfaceOf(symbol)
    if (symbol.flags & ts.SymbolFlags.TypeAlias) {
      return (
        generic(symbol, node) ??
        `type ${symbol.name} = ${print(checker.getDeclaredTypeOfSymbol(symbol), { expand: true })}`
      )
    }
    const type = checker.getTypeOfSymbol(symbol)
    const [call] = type.getCallSignatures()
    if (call?.getTypeParameters() !== undefined) return verbatim(symbol, node, `const ${symbol.name}: `)
    return `const ${symbol.name}: ${print(type)}`
  }

  const interfaceOf = (symbol) => {
    const type = checker.getDeclaredTypeOfSymbol(symbol)
    const parents = parentsOf(symbol)
    if (parents === undefined || parents.length === 0) return `interface ${symbol.name} ${object(type)}`
    const inherited = new Set(parents.flatMap((parent) => parent.getProperties().map(({ name }) => name)))
    const body = inner(() => members(type, ({ name }) => !inherited.has(name)))
    return `interface ${symbol.name} extends ${parents.map((parent) => print(parent)).join(", ")} {\n${body}}`
  }

  /** Those it extends; `undefined` if one of them has no name of its own, such as an `Omit<…>`. */
  const parentsOf = (symbol) => {
    const types = (symbol.declarations ?? [])
      .flatMap((node) => node.heritageClauses ?? [])
      .flatMap((clause) => [...clause.types])
      .map((node) => [node, checker.getTypeAtLocation(node)])
    const isPlain = ([node, type]) =>
      node.typeArguments === undefined && type.symbol !== undefined && type.aliasSymbol === undefined
    return types.every(isPlain) ? types.map(([, type]) => type) : undefined
  }

  /** With parameters of its own it stands here as it was declared, and what it names comes along. */
  const generic = (symbol, node) => (node.typeParameters === undefined ? undefined : verbatim(symbol, node, ""))

  const verbatim = (symbol, node, start) => {
    const visit = (child) => {
      if (ts.isIdentifier(child)) {
        const found = checker.getSymbolAtLocation(child)
        const target = found === undefined ? undefined : resolved(checker, found)
        const isType =
          target !== undefined && (target.flags & (ts.SymbolFlags.Type & ~ts.SymbolFlags.TypeParameter)) !== 0
        if (isType && isOurs(target) && target !== symbol) declare(target)
        else if (isType && isOfNode(target) && !isGlobal(target)) nodeTypes.add(target.name)
        else if (isType && isOfEffect(target)) throw new Error(`${target.name} of Effect is in ${symbol.name}`)
      }
      ts.forEachChild(child, visit)
    }
    visit(node)
    if (start !== "") return `${start}${(node.type ?? node).getText()}`
    return node
      .getText()
      .replace(/^export (declare )?/, "")
      .replace(/;$/, "")
  }

  /** An error, as it can be told from others: by `instanceof`, and by `_tag`. Anything else is what it holds. */
  const classOf = (symbol) => {
    const type = checker.getDeclaredTypeOfSymbol(symbol)
    if (type.getProperty("_tag") === undefined) return interfaceOf(symbol)
    const own = type
      .getProperties()
      .filter(({ name }) => !/^(name|message|stack|cause|toString|toJSON|commit|pipe|channel|__@.*)$/.test(name))
    const fields = inner(() =>
      own
        .map((field) => `${docOf(field)}${indent}readonly ${field.name}: ${print(checker.getTypeOfSymbol(field))}\n`)
        .join("")
    )
    return `class ${symbol.name} extends Error {\n${fields}}`
  }

  const text = () => {
    const imports = [...nodeTypes].sort()
    const head = imports.length === 0 ? "" : `import type { ${imports.join(", ")} } from "node:http"\n\n`
    return head + [...declarations.values()].join("\n")
  }

  return { checker, module, declare, print, text }
}
