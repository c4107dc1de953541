/**
 * Options, checked: none that is unknown, misspelt or of the wrong type is ignored. One mechanism for `polar()`, for the
 * calls of a billing and for layers.
 *
 * An option is one line of a schema, built of the types below, whose messages never repeat a value: it may be a secret.
 */
import * as Duration from "effect/Duration"
import type * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as ParseResult from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import { nearestName } from "./nearestName.ts"

/** A call or a layer was given an option that it does not have, or cannot use. */
export class InvalidOption extends Schema.TaggedError<InvalidOption>("@kavach-polar/core/InvalidOption")(
  "InvalidOption",
  {
    /** Such as `createCheckout()`. */
    call: Schema.String,
    /** The option's name, with the names of the objects that it is in: `accessPolicy.gracePeriodDays`. */
    option: Schema.String,
    problem: Schema.String
  }
) {
  override get message(): string {
    return `${this.call}: ${this.option}: ${this.problem}`
  }
}

/** What is wrong with which option. */
export interface OptionProblem {
  /** Empty when it is the options as a whole. */
  readonly option: string
  readonly problem: string
}

/** Tells what is wrong with options, the first fault found; `undefined` when nothing is. */
export const optionProblem = <A, I>(schema: Schema.Schema<A, I>): ((options: unknown) => OptionProblem | undefined) => {
  let validate: ((options: unknown) => Either.Either<A, ParseResult.ParseError>) | undefined
  return (options) => {
    validate ??= Schema.validateEither(shaped(schema, "it must be an object"), { onExcessProperty: "error" })
    const result = validate(options)
    if (result._tag === "Right") return undefined
    const [issue] = ParseResult.ArrayFormatter.formatErrorSync(result.left)
    if (issue === undefined) return { option: "", problem: "it cannot be read" }
    return {
      option: issue.path.map(String).join("."),
      problem: issue._tag === "Unexpected" ? noSuchOption(schema.ast, issue.path) : issue.message
    }
  }
}

/** Checks what a call or a layer is given; throws `InvalidOption`. Options that are absent are not looked at. */
export const optionsCheck = <A, I>(call: string, schema: Schema.Schema<A, I>): ((options: unknown) => void) => {
  const problemOf = optionProblem(schema)
  return (options) => {
    if (options === undefined) return
    const found = problemOf(options)
    if (found !== undefined) {
      throw new InvalidOption({ call, option: found.option === "" ? "options" : found.option, problem: found.problem })
    }
  }
}

const noSuchOption = (ast: AST.AST, path: ReadonlyArray<PropertyKey>): string => {
  const names = namesAt(ast, path.slice(0, -1))
  const nearest = nearestName(String(path.at(-1)), names)
  if (nearest !== undefined) return `there is no such option. Did you mean ${nearest}?`
  return names.length > 0 && names.length <= mostNamesListed
    ? `there is no such option. There is ${names.join(", ")}.`
    : "there is no such option"
}

const mostNamesListed = 12

/** The names that the object at this place may have. */
const namesAt = (ast: AST.AST, path: ReadonlyArray<PropertyKey>): ReadonlyArray<string> => {
  switch (ast._tag) {
    case "Refinement":
      return namesAt(ast.from, path)
    case "Transformation":
      return namesAt(ast.to, path)
    case "Suspend":
      return namesAt(ast.f(), path)
    case "Union":
      return [...new Set(ast.types.flatMap((type) => namesAt(type, path)))]
    case "TupleType": {
      const [, ...rest] = path
      return path.length === 0 ? [] : ast.rest.flatMap(({ type }) => namesAt(type, rest))
    }
    case "TypeLiteral": {
      const [name, ...rest] = path
      if (name === undefined) return ast.propertySignatures.map((property) => String(property.name))
      return ast.propertySignatures
        .filter((property) => property.name === name)
        .flatMap(({ type }) => namesAt(type, rest))
    }
    default:
      return []
  }
}

/** Says it of every value that does not fit. */
export const said = <A, I>(schema: Schema.Schema<A, I>, message: string): Schema.Schema<A, I> =>
  schema.annotations({ message: () => ({ message, override: true }) })

/** Says it only of a value that is of another kind altogether; what is wrong inside is said by the parts. */
export const shaped = <A, I>(schema: Schema.Schema<A, I>, message: string): Schema.Schema<A, I> =>
  schema.annotations({ message: () => message })

export const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(schema)

/** May be left out; but what is given must be there. */
export const given = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const declared = <A>(is: (value: unknown) => value is A, message: string): Schema.Schema<A> =>
  said(Schema.declare(is), message)

/** Options within options. */
export const group = <A, I>(struct: Schema.Schema<A, I>) => shaped(struct, "it must be an object")

/** What somebody may have given of options: each of them, or nothing. */
export type Given<A> = { readonly [Name in keyof A]?: A[Name] | undefined }

export const boolean = said(Schema.Boolean, "it must be true or false")

/** Text that is not blank. */
export const text = (what: string) =>
  said(Schema.String.pipe(Schema.filter((value) => value.trim() !== "")), `it must be ${what}, and is blank or no text`)

/** Text, blank or not. */
export const anyText = said(Schema.String, "it must be text")

export const anyNumber = (what: string) => said(Schema.Number, `it must be ${what}`)

export const numberBetween = (least: number, most: number, what: string) =>
  said(Schema.Number.pipe(Schema.between(least, most)), `it must be ${what}, from ${least} to ${most}`)

export const wholeNumberBetween = (least: number, most: number, what: string) =>
  said(Schema.Int.pipe(Schema.between(least, most)), `it must be ${what}, from ${least} to ${most}`)

export const positive = (what: string) => said(Schema.Number.pipe(Schema.positive()), `it must be ${what}`)

export const positiveWhole = (what: string) => said(Schema.Int.pipe(Schema.positive()), `it must be ${what}`)

export const oneOf = <Literals extends readonly [string, ...Array<string>]>(...literals: Literals) =>
  said(Schema.Literal(...literals), `it must be ${listOf(literals.map((literal) => `"${literal}"`))}`)

const listOf = (words: ReadonlyArray<string>): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`

export const listOfTexts = said(Schema.Array(Schema.String), "it must be a list of texts")

export const date = said(Schema.ValidDateFromSelf, "it must be a Date, and a valid one")

export const duration = declared(
  (value): value is Duration.DurationInput => Duration.decodeUnknown(value)._tag === "Some",
  'it must be a duration, such as "30 seconds"'
)

/** `Call` is what its type says; that it is a function is all that can be seen. */
export const callback = <Call extends (...given: never) => unknown>() =>
  declared((value): value is Call => typeof value === "function", "it must be a function")

export const layer = <L extends Layer.Layer<never, unknown>>() =>
  declared((value): value is L => Layer.isLayer(value), "it must be a Layer")

/** A secret, `Redacted` or as text. */
export const secretText = declared(
  (value): value is Redacted.Redacted | string => typeof value === "string" || Redacted.isRedacted(value),
  "it must be text, or a Redacted with text"
)

/** What it holds may be missing, as while a build imports the app; that is said when it is used. */
export const redacted = declared(
  (value): value is Redacted.Redacted => Redacted.isRedacted(value),
  "it must be a Redacted"
)

/** An object that is somebody else's to look into, such as a driver's options. */
export const foreign = <A extends object>(what: string) =>
  declared((value): value is A => typeof value === "object" && value !== null && !Array.isArray(value), what)

export { damageOf, pastedText } from "./pastedText.ts"
