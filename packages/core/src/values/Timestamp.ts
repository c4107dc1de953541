/**
 * Points in time as Polar writes them, at the precision order needs.
 *
 * Polar stamps events with microseconds. A JavaScript `Date` has only milliseconds, so two events of one
 * database transaction would look simultaneous; what decides order is therefore kept as a count of microseconds.
 */
import type * as Brand from "effect/Brand"
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** Microseconds since 1970-01-01T00:00:00Z; a safe integer until the year 2255. */
export type EpochMicros = number & Brand.Brand<"EpochMicros">

/** A safe, non-negative integer of microseconds since the epoch. */
export const EpochMicros: Schema.BrandSchema<EpochMicros, number> = Schema.Number.pipe(
  Schema.filter((micros) => Number.isSafeInteger(micros) && micros >= 0, {
    message: () => "expected a count of microseconds since 1970"
  }),
  Schema.brand("EpochMicros")
)

/**
 * Milliseconds of the environment's clock, as microseconds.
 *
 * @example
 * Timestamp.fromMillis(Date.now())
 */
export const fromMillis = (millis: number): EpochMicros => Math.trunc(millis * 1000) as EpochMicros

/**
 * The millisecond that contains the given microsecond.
 *
 * @example
 * new Date(Timestamp.toMillis(Timestamp.fromMillis(0)))
 */
export const toMillis = (micros: EpochMicros): number => Math.floor(micros / 1000)

const plainTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/

const iso = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:?\d{2})?$/

// What an offset moves to another millennium could be written, and not read again.
// PostgreSQL has no year 0, and one such time in a record would make the whole view of its kind unreadable.
const firstMillis = Date.parse("0001-01-01T00:00:00Z")
const lastMillis = Date.parse("9999-12-31T23:59:59Z")

/** Whole seconds in epoch milliseconds, and the microseconds that come on top. */
const parse = (text: string): { readonly seconds: number; readonly micros: number } | undefined => {
  const match = iso.exec(text)
  if (match === null) return undefined
  const [, day, time, fraction = "", zone = "Z"] = match
  const seconds = Date.parse(`${day}T${time}${zone}`)
  return Number.isNaN(seconds) || seconds < firstMillis || seconds > lastMillis
    ? undefined
    : { seconds, micros: Number(fraction.slice(0, 6).padEnd(6, "0")) }
}

/**
 * Reads an ISO 8601 timestamp with up to nine fractional digits; digits past the sixth are dropped.
 * A missing zone means UTC, as everywhere in Polar's API. Returns `undefined` for anything else.
 *
 * @example
 * Timestamp.parseMicros("2026-11-29T12:00:00.123456Z")
 */
export const parseMicros = (text: string): EpochMicros | undefined => {
  const parsed = parse(text)
  if (parsed === undefined) return undefined
  const micros = parsed.seconds * 1000 + parsed.micros
  return Number.isSafeInteger(micros) && micros >= 0 ? (micros as EpochMicros) : undefined
}

/** ISO 8601 text to microseconds since the epoch. */
export const EpochMicrosFromString: Schema.Schema<EpochMicros, string> = Schema.transformOrFail(
  Schema.String,
  Schema.typeSchema(EpochMicros),
  {
    strict: true,
    decode: (text, _options, ast) => {
      const micros = parseMicros(text)
      return micros === undefined
        ? Effect.fail(new ParseResult.Type(ast, text, "expected an ISO 8601 timestamp"))
        : Effect.succeed(micros)
    },
    encode: (micros) =>
      Effect.succeed(
        `${new Date(toMillis(micros)).toISOString().slice(0, -1)}${String(micros % 1000).padStart(3, "0")}Z`
      )
  }
)

/**
 * ISO 8601 text to a `Date`, which keeps its milliseconds: for times that people read and that decide no order. Any year
 * will do, "9999-12-31" for never too.
 */
export const DateFromTimestamp: Schema.Schema<Date, string> = Schema.transformOrFail(
  Schema.String,
  Schema.ValidDateFromSelf,
  {
    strict: true,
    decode: (text, _options, ast) => {
      // As Polar writes times, of which JavaScript drops what is finer than a millisecond.
      const plain = plainTime.test(text) ? Date.parse(text) : Number.NaN
      if (plain >= firstMillis) return Effect.succeed(new Date(plain))
      const parsed = parse(text)
      return parsed === undefined
        ? Effect.fail(new ParseResult.Type(ast, text, "expected an ISO 8601 timestamp"))
        : Effect.succeed(new Date(parsed.seconds + Math.floor(parsed.micros / 1000)))
    },
    encode: (date) => Effect.succeed(date.toISOString())
  }
)
