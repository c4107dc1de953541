/**
 * What the packages export is documented by example, and has its units in one way: numbers whose names say the unit in
 * `polar()`, durations in layers. Whether the examples compile, `jsdoc.test.ts` says.
 */
import { join } from "node:path"
import ts from "typescript"
import { assert, describe, test } from "vitest"

const root = join(import.meta.dirname, "..")
const entryOf = (name: string): string => join(root, "packages", name)

/** The entries for apps; those under `adapter` and `testing` are for authors of adapters. */
const entries = {
  "kavach-polar": entryOf("kavach-polar/src/index.ts"),
  "kavach-polar/fastify": entryOf("kavach-polar/src/fastify.ts"),
  "kavach-polar/gates": entryOf("kavach-polar/src/gates.ts"),
  "kavach-polar/node": entryOf("kavach-polar/src/node.ts"),
  "@kavach-polar/http": entryOf("http/src/index.ts"),
  "@kavach-polar/http/Api": entryOf("http/src/routes/Api.ts"),
  "@kavach-polar/http/ApiLayer": entryOf("http/src/routes/ApiLayer.ts"),
  "@kavach-polar/http/Endpoints": entryOf("http/src/routes/Endpoints.ts"),
  "@kavach-polar/http/Gate": entryOf("http/src/routes/Gate.ts"),
  "@kavach-polar/http/NodeServer": entryOf("http/src/NodeServer.ts"),
  "@kavach-polar/http/Session": entryOf("http/src/routes/Session.ts"),
  "@kavach-polar/client": entryOf("client/src/index.ts"),
  "@kavach-polar/client/react": entryOf("client/src/react.ts"),
  "@kavach-polar/core": entryOf("core/src/index.ts"),
  "@kavach-polar/adapter-libsql": entryOf("adapter-libsql/src/index.ts"),
  "@kavach-polar/adapter-mysql": entryOf("adapter-mysql/src/index.ts"),
  "@kavach-polar/adapter-postgres": entryOf("adapter-postgres/src/index.ts"),
  "@kavach-polar/adapter-sqlite": entryOf("adapter-sqlite/src/index.ts")
}

const { options } = ts.parseJsonConfigFileContent(
  ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile).config,
  ts.sys,
  root
)
const program = ts.createProgram(Object.values(entries), { ...options, noEmit: true })
const checker = program.getTypeChecker()

const resolved = (symbol: ts.Symbol): ts.Symbol =>
  (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol)

const exportsOf = (module: ts.Symbol | undefined): ReadonlyArray<ts.Symbol> =>
  module === undefined ? [] : checker.getExportsOfModule(module)

/** In namespaces of the module too, each with its whole name. */
const everythingIn = (module: ts.Symbol | undefined, prefix = ""): ReadonlyArray<readonly [string, ts.Symbol]> =>
  exportsOf(module).flatMap((symbol) => {
    const target = resolved(symbol)
    const name = `${prefix}${symbol.name}`
    return target.flags & ts.SymbolFlags.ValueModule ? everythingIn(target, `${name}.`) : [[name, target] as const]
  })

const moduleOf = (file: string): ts.Symbol | undefined => {
  const source = program.getSourceFile(file)
  return source === undefined ? undefined : checker.getSymbolAtLocation(source)
}

const exported = Object.entries(entries).flatMap(([entry, file]) =>
  everythingIn(moduleOf(file)).map(([name, symbol]) => ({ name: `${entry} ${name}`, symbol }))
)

const exampleOf = (symbol: ts.Symbol): string =>
  symbol
    .getJsDocTags(checker)
    .filter(({ name }) => name === "example")
    .map(({ text }) => ts.displayPartsToString(text))
    .join("\n")

const isOurs = (symbol: ts.Symbol): boolean =>
  symbol.declarations?.every((node) => !node.getSourceFile().fileName.includes("node_modules")) === true

/** Without `undefined` and `null`, and of alternatives those that are objects. */
const partsOf = (type: ts.Type): ReadonlyArray<ts.Type> => (type.isUnion() ? type.types : [type])

const isFunction = (type: ts.Type): boolean => type.getCallSignatures().length > 0

const isInline = (type: ts.Type): boolean =>
  (type.flags & ts.TypeFlags.Object) !== 0 && !isFunction(type) && type.symbol?.name === "__type" && isOurs(type.symbol)

/** The properties of a type of options, with those of the groups in it; each with the examples above it. */
const optionsIn = (type: ts.Type, name: string, above = ""): ReadonlyArray<readonly [string, ts.Symbol, string]> =>
  type
    .getProperties()
    .filter(isOurs)
    .flatMap((property) => {
      const path = `${name}.${property.name}`
      const examples = `${above}\n${exampleOf(property)}`
      const groups = partsOf(checker.getTypeOfSymbol(property)).filter(isInline)
      // A group is its options; `on`, which has one for each of Polar's events, is known by one of them.
      const inner = property.name === "on" ? [] : groups.flatMap((group) => optionsIn(group, path, examples))
      return [[path, property, above] as const, ...inner]
    })

const isOptions = ({ name, symbol }: { readonly name: string; readonly symbol: ts.Symbol }): boolean =>
  (symbol.flags & ts.SymbolFlags.Interface) !== 0 && /(?:Options|Config|Query)$/.test(name)

/** What a driver answers an adapter's author with. */
const forAuthors = /(?:StoreDriver|StoreRows|StoreStep)\.|BillingStore\.\w+Query$/

const optionTypes = exported
  .filter((one) => isOptions(one) && !forAuthors.test(one.name))
  // The drivers' own options are documented by the drivers.
  .map(({ name, symbol }) => ({ name, symbol, type: checker.getDeclaredTypeOfSymbol(symbol) }))

const allOptions = optionTypes.flatMap(({ name, symbol, type }) => optionsIn(type, name, exampleOf(symbol)))

const mentions = (example: string, option: string): boolean => new RegExp(`\\b${option}\\b`).test(example)

describe("examples", () => {
  test("every function has one", () => {
    const functions = exported.filter(
      ({ name, symbol }) =>
        !forAuthors.test(name) &&
        (symbol.flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Variable)) !== 0 &&
        (symbol.flags & ts.SymbolFlags.Class) === 0 &&
        // What is a value with properties besides, such as a schema, is none.
        checker.getTypeOfSymbol(symbol).getProperties().length === 0 &&
        isFunction(checker.getTypeOfSymbol(symbol))
    )
    assert.isAtLeast(functions.length, 60)
    assert.deepStrictEqual(
      functions.filter(({ symbol }) => exampleOf(symbol) === "").map(({ name }) => name),
      []
    )
  })

  test("every method of a billing has one", () => {
    const methodsIn = (type: ts.Type, name: string): ReadonlyArray<readonly [string, ts.Symbol]> =>
      type
        .getProperties()
        .filter(isOurs)
        .flatMap((property) => {
          const own = checker.getTypeOfSymbol(property)
          const path = `${name}.${property.name}`
          // A type that depends on a parameter is a call, whatever the parameter is.
          const isCall = isFunction(own) || (own.flags & ts.TypeFlags.Conditional) !== 0
          return isCall ? [[path, property] as const] : isInline(own) ? methodsIn(own, path) : []
        })
    const polar = exported.find(({ name }) => name === "kavach-polar Polar")
    assert.isDefined(polar)
    const methods = methodsIn(checker.getDeclaredTypeOfSymbol(polar.symbol), "Polar")
    assert.isAtLeast(methods.length, 35)
    assert.deepStrictEqual(
      methods.filter(([, symbol]) => exampleOf(symbol) === "").map(([name]) => name),
      []
    )
  })

  test("every option has one, or is in that of what it belongs to", () => {
    assert.isAtLeast(allOptions.length, 150)
    assert.deepStrictEqual(
      allOptions
        .filter(([, symbol, above]) => exampleOf(symbol) === "" && !mentions(above, symbol.name))
        .map(([name]) => name),
      []
    )
  })
})

describe("units", () => {
  /** Numbers that are counts, or money in the currency's smallest unit. */
  const counts =
    /\.(?:amount|attempts|concurrency|incrementUsage|limit|maxAttempts|maxConnections|maxRetries|maxSeats|maxUnits|minSeats|minUnits|port|requestsPerMinute|seats|sessionsPerMinute|units)$/

  const typeOf = (symbol: ts.Symbol): string => checker.typeToString(checker.getTypeOfSymbol(symbol))
  const isDuration = (symbol: ts.Symbol): boolean =>
    typeOf(symbol).includes("Duration") ||
    partsOf(checker.getTypeOfSymbol(symbol)).some((type) => type.aliasSymbol?.name === "DurationInput")

  test("a number says its unit, unless it counts", () => {
    const numbers = allOptions.filter(
      ([, symbol]) =>
        partsOf(checker.getTypeOfSymbol(symbol)).some((type) => (type.flags & ts.TypeFlags.Number) !== 0) &&
        !isDuration(symbol)
    )
    assert.isAtLeast(numbers.length, 15)
    assert.deepStrictEqual(
      numbers
        .map(([name]) => name)
        .filter((name) => !/(?:Seconds|Minutes|Hours|Days|Bytes)$/.test(name) && !counts.test(name)),
      []
    )
  })

  test("polar() and its calls take no durations, layers take no seconds", () => {
    const isPlain = (name: string) => /^(?:kavach-polar|@kavach-polar\/(?:client|http)) /.test(name)
    assert.deepStrictEqual(
      allOptions.filter(([name, symbol]) => isPlain(name) && isDuration(symbol)).map(([name]) => name),
      []
    )
    assert.isAtLeast(allOptions.filter(([, symbol]) => isDuration(symbol)).length, 12)
    assert.deepStrictEqual(
      allOptions
        .map(([name]) => name)
        // A point in time, as the header has it.
        .filter(
          (name) => !isPlain(name) && /(?:Seconds|Minutes|Hours|Days)$/.test(name) && !/timestampSeconds$/.test(name)
        ),
      []
    )
  })
})

test("a logger can be named, whichever the entry", () => {
  const named = exported.map(({ name }) => name)
  assert.include(named, "kavach-polar PolarLogger")
  assert.include(named, "@kavach-polar/http PolarLogger")
})
