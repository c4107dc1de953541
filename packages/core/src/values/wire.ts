/**
 * How fields of Polar's JSON are read. A tolerant reader: absent and `null` are the same, and only fields on which access
 * or identity depend can refuse an object (Polar docs: api-reference, "Versioning").
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { storable } from "./ids.ts"
import { plainEntries } from "./plainJson.ts"

/** Text that is shown to people, and compared with nothing: as far as databases can keep it. */
export const shownText = Schema.transform(Schema.String, Schema.String, {
  strict: true,
  decode: storable,
  encode: (text) => text
})

/** A field that must be there, under another name. */
export const renamed = <const K extends string, A, I>(key: K, schema: Schema.Schema<A, I>) =>
  Schema.propertySignature(schema).pipe(Schema.fromKey(key))

/** Absent and `null` are the same; anything else that is not an `A` refuses the object. */
export const nullable = <const K extends string, A, I>(key: K, schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.NullOr(schema), { default: () => null }).pipe(Schema.fromKey(key))

/** For what is only shown to people: anything that is not an `A` reads as `null`. */
export const informative = <const K extends string, A, I>(key: K, schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.NullOr(schema).annotations({ decodingFallback: () => Either.right(null) }), {
    default: () => null
  }).pipe(Schema.fromKey(key))

const Values = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const PlainValues = Schema.transform(Values, Schema.typeSchema(Values), {
  strict: true,
  decode: plainEntries,
  encode: (values) => values
})

/** A JSON object with whatever keys; anything else reads as an empty one, and what cannot be kept as absent. */
export const anyRecord = <const K extends string>(key: K) =>
  Schema.optionalWith(PlainValues.annotations({ decodingFallback: () => Either.right({}) }), {
    default: () => ({}),
    nullable: true
  }).pipe(Schema.fromKey(key))

/** A list of which what is no `A` is left out; anything else reads as an empty one. */
export const listOf = <const K extends string, A, I>(key: K, schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknownOption(schema)
  const encode = Schema.encodeSync(schema)
  const list = Schema.transform(Schema.Array(Schema.Unknown), Schema.typeSchema(Schema.Array(schema)), {
    strict: true,
    decode: (all) => all.flatMap((one) => Option.toArray(decode(one))),
    encode: (all) => all.map((one): unknown => encode(one))
  })
  return Schema.optionalWith(list.annotations({ decodingFallback: () => Either.right([]) }), {
    default: () => [],
    nullable: true
  }).pipe(Schema.fromKey(key))
}
