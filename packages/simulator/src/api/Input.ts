/** What requests may say, as schemas, and Polar's answer to what they may not. */
import { type EpochMicros, EpochMicrosFromString } from "@kavach-polar/core/Timestamp"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { type Issue, malformed, type Refusal } from "../Refusal.ts"

const uuid4 = /^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i

export const Uuid = Schema.String.pipe(
  Schema.filter((text) => uuid4.test(text), { message: () => "UUID version 4 expected" }),
  Schema.transform(Schema.String, { strict: true, decode: (text) => text.toLowerCase(), encode: (text) => text })
)

const limited = (maxLength: number) => Schema.String.pipe(Schema.maxLength(maxLength))

const metadataLimits = { keys: 50, key: 40, text: 500 } as const

const MetadataValue = Schema.Union(
  Schema.String.pipe(Schema.minLength(1), Schema.maxLength(metadataLimits.text)),
  Schema.Number.pipe(Schema.finite()),
  Schema.Boolean
)

export const Metadata = Schema.Record({ key: Schema.String, value: MetadataValue }).pipe(
  Schema.filter((metadata) => Object.keys(metadata).length <= metadataLimits.keys, {
    message: () => `at most ${metadataLimits.keys} keys`
  }),
  Schema.filter(
    (metadata) => Object.keys(metadata).every((key) => key.length > 0 && key.length <= metadataLimits.key),
    {
      message: () => `keys have 1 to ${metadataLimits.key} characters`
    }
  )
)

// RFC 2606 and 6761: Polar looks the domain up, and nobody takes mail for these.
const undeliverable = /@(?:.+\.)?(?:example\.(?:com|net|org)|example|test|invalid|localhost|local)$/i

export const Email = Schema.String.pipe(
  Schema.filter((text) => /^[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+$/.test(text), {
    message: () => "value is not a valid email address"
  }),
  Schema.filter((text) => !undeliverable.test(text), {
    message: () => "value is not a valid email address: The domain name does not accept email."
  })
)

const webUrl = /^https?:\/\/[^\s/]+/i

export const WebUrl = limited(2083).pipe(
  Schema.filter((text) => webUrl.test(text), { message: () => "Input should be a valid URL" })
)

export const Country = Schema.String.pipe(Schema.pattern(/^[A-Z]{2}$/))

export const Address = Schema.Struct({
  country: Country,
  line1: Schema.optional(Schema.NullOr(Schema.String)),
  line2: Schema.optional(Schema.NullOr(Schema.String)),
  postal_code: Schema.optional(Schema.NullOr(Schema.String)),
  city: Schema.optional(Schema.NullOr(Schema.String)),
  state: Schema.optional(Schema.NullOr(Schema.String))
})

export const Interval = Schema.Literal("day", "week", "month", "year")

export const Name = limited(256)

export const Time: Schema.Schema<EpochMicros, string> = EpochMicrosFromString

/** A field that may be absent or null. */
export const maybe = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))

/** Reads a body; `exact` refuses fields that are not documented, which Polar otherwise ignores. */
export const read = <A, I>(
  schema: Schema.Schema<A, I>,
  body: unknown,
  options: { readonly exact?: boolean } = {}
): Either.Either<A, Refusal> =>
  Either.mapLeft(
    Schema.decodeUnknownEither(schema, {
      errors: "all",
      onExcessProperty: options.exact === true ? "error" : "ignore"
    })(body),
    (error) => malformed(issuesOf(error, body))
  )

const issuesOf = (error: ParseResult.ParseError, body: unknown): ReadonlyArray<Issue> =>
  ParseResult.ArrayFormatter.formatErrorSync(error).map(({ _tag, message, path }) => ({
    type: _tag === "Missing" ? "missing" : _tag === "Unexpected" ? "extra_forbidden" : "value_error",
    loc: ["body", ...path.map((part) => (typeof part === "number" ? part : String(part)))],
    msg: _tag === "Missing" ? "Field required" : message,
    input: at(body, path)
  }))

const at = (value: unknown, path: ReadonlyArray<PropertyKey>): unknown => {
  let inner = value
  for (const part of path) {
    const next = Predicate.hasProperty(inner, part) ? inner[part] : undefined
    if (next === undefined) return inner ?? null
    inner = next
  }
  return inner ?? null
}

/** An id in a path. */
export const pathId = (params: Readonly<Record<string, string>>, name = "id"): Either.Either<string, Refusal> => {
  const text = params[name] ?? ""
  return uuid4.test(text)
    ? Either.right(text.toLowerCase())
    : Either.left(
        malformed([{ type: "uuid_parsing", loc: ["path", name], msg: "UUID version 4 expected", input: text }])
      )
}
