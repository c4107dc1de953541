/**
 * A decoder made of a schema, for JSON objects whose fields are plainly what they should be, which is nearly every one. A
 * schema reads any object and says what is wrong with it; that costs many times as much. So what is made here reads what it
 * can and otherwise gives up, and the schema has the word: both read the same.
 */
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"

/** What a reader answers where a value is not plainly what it should be. */
const notPlain: unique symbol = Symbol("not plain")

type Reader = (value: unknown) => unknown

export const decoderOf = <A, I>(
  schema: Schema.Schema<A, I>
): ((input: unknown) => Either.Either<A, ParseResult.ParseError>) => {
  const decode = Schema.decodeUnknownEither(schema)
  const read = readerOf(schema.ast)
  return (input) => {
    const plain = read(input)
    // What a reader answers is what the schema's type says.
    return plain === notPlain ? decode(input) : Either.right(plain as A)
  }
}

/** The same of a text of JSON; `None` for what is no such text. */
export const jsonDecoderOf = <A, I>(schema: Schema.Schema<A, I>): ((text: string) => Option.Option<A>) => {
  const decode = decoderOf(schema)
  return (text) => {
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      return Option.none()
    }
    return Either.getRight(decode(json))
  }
}

const never: Reader = () => notPlain

const readerOf = (ast: AST.AST): Reader => {
  switch (ast._tag) {
    case "StringKeyword":
      return (value) => (typeof value === "string" ? value : notPlain)
    case "NumberKeyword":
      return (value) => (typeof value === "number" ? value : notPlain)
    case "BooleanKeyword":
      return (value) => (typeof value === "boolean" ? value : notPlain)
    case "UnknownKeyword":
    case "AnyKeyword":
      return (value) => value
    case "Literal":
      return (value) => (value === ast.literal ? value : notPlain)
    case "Refinement":
      return refined(readerOf(ast.from), ast)
    case "Union":
      return firstOf(ast.types.map(readerOf))
    case "TypeLiteral":
      return objectOf(ast)
    case "Transformation":
      return transformed(ast)
    default:
      return never
  }
}

const refined =
  (read: Reader, ast: AST.Refinement): Reader =>
  (value) => {
    const plain = read(value)
    return plain === notPlain || Option.isSome(ast.filter(plain, AST.defaultParseOption, ast)) ? notPlain : plain
  }

const firstOf =
  (readers: ReadonlyArray<Reader>): Reader =>
  (value) => {
    for (const read of readers) {
      const plain = read(value)
      if (plain !== notPlain) return plain
    }
    return notPlain
  }

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !Object.hasOwn(value, "__proto__")

/** How a field of the object is made of one that was read. */
type FieldTransformation = Pick<AST.PropertySignatureTransformation, "decode" | "from" | "to">

const objectOf = (ast: AST.TypeLiteral, transformations: ReadonlyArray<FieldTransformation> = []): Reader => {
  const [index, ...others] = ast.indexSignatures
  if (index !== undefined) {
    const isRecord = others.length === 0 && ast.propertySignatures.length === 0 && transformations.length === 0
    return isRecord && index.parameter._tag === "StringKeyword" ? recordOf(readerOf(index.type)) : never
  }
  const fields: ReadonlyArray<Field> = ast.propertySignatures.map(({ isOptional, name, type }) => {
    const transformation = transformations.find(({ from }) => from === name)
    return {
      name: String(name),
      isOptional,
      read: readerOf(type),
      to: transformation?.to ?? name,
      decode: transformation?.decode
    }
  })
  const names = new Set(ast.propertySignatures.map(({ name }) => name))
  if ([...names].some((name) => typeof name !== "string")) return never
  if (transformations.some(({ from }) => !names.has(from))) return never
  return (value) => {
    if (!isObject(value)) return notPlain
    const object: Record<PropertyKey, unknown> = {}
    for (const field of fields) {
      const given = value[field.name]
      if (given === undefined) {
        if (!field.isOptional || Object.hasOwn(value, field.name)) return notPlain
        const made = field.decode?.(Option.none()) ?? Option.none()
        if (Option.isSome(made)) object[field.to] = made.value
        continue
      }
      const plain = field.read(given)
      if (plain === notPlain) return notPlain
      if (field.decode === undefined) object[field.to] = plain
      else {
        const made = field.decode(Option.some(plain))
        if (Option.isSome(made)) object[field.to] = made.value
      }
    }
    return object
  }
}

interface Field {
  readonly name: string
  readonly isOptional: boolean
  readonly read: Reader
  readonly to: PropertyKey
  readonly decode: FieldTransformation["decode"] | undefined
}

const recordOf =
  (read: Reader): Reader =>
  (value) => {
    if (!isObject(value)) return notPlain
    const record: Record<string, unknown> = {}
    for (const [key, field] of Object.entries(value)) {
      const plain = read(field)
      if (plain === notPlain) return notPlain
      record[key] = plain
    }
    return record
  }

const transformed = (ast: AST.Transformation): Reader => {
  const { transformation } = ast
  switch (transformation._tag) {
    case "ComposeTransformation": {
      const [read, next] = [readerOf(ast.from), readerOf(ast.to)]
      return (value) => {
        const plain = read(value)
        return plain === notPlain ? notPlain : next(plain)
      }
    }
    case "FinalTransformation": {
      const read = readerOf(ast.from)
      const check = checkOf(ast.to)
      return (value) => {
        const plain = read(value)
        if (plain === notPlain) return notPlain
        const decoded = succeeded(transformation.decode(plain, AST.defaultParseOption, ast, plain))
        return decoded === notPlain || !check(decoded) ? notPlain : decoded
      }
    }
    case "TypeLiteralTransformation":
      return ast.from._tag === "TypeLiteral"
        ? objectOf(ast.from, transformation.propertySignatureTransformations)
        : never
  }
}

/** Transformations here answer at once; one that does not is the schema's. */
const succeeded = (decoded: ReturnType<AST.FinalTransformation["decode"]>): unknown => {
  if (Either.isEither(decoded)) return Either.isRight(decoded) ? decoded.right : notPlain
  return Exit.isExit(decoded) && Exit.isSuccess(decoded) ? decoded.value : notPlain
}

/** What the transformation made is of the type that it says; only what narrows the type further is looked at. */
const checkOf = (ast: AST.AST): ((value: unknown) => boolean) => {
  if (ast._tag !== "Refinement") return () => true
  const inner = checkOf(ast.from)
  return (value) => inner(value) && Option.isNone(ast.filter(value, AST.defaultParseOption, ast))
}
