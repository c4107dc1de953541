/**
 * How fields of Polar's JSON are read. A tolerant reader: absent and `null` are the same, and only fields on which access
 * or identity depend can refuse an object (Polar docs: api-reference, "Versioning").
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

/** A field that must be there, under another name. */
export const renamed = <A, I>(key: string, schema: Schema.Schema<A, I>) =>
  Schema.propertySignature(schema).pipe(Schema.fromKey(key))

/** Absent and `null` are the same; anything else that is not an `A` refuses the object. */
export const nullable = <A, I>(key: string, schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.NullOr(schema), { default: () => null }).pipe(Schema.fromKey(key))

/** For what is only shown to people: anything that is not an `A` reads as `null`. */
export const informative = <A, I>(key: string, schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.NullOr(schema).annotations({ decodingFallback: () => Either.right(null) }), {
    default: () => null
  }).pipe(Schema.fromKey(key))

/** A JSON object with whatever keys; anything else reads as an empty one. */
export const anyRecord = (key: string) =>
  Schema.optionalWith(
    Schema.Record({ key: Schema.String, value: Schema.Unknown }).annotations({
      decodingFallback: () => Either.right({})
    }),
    { default: () => ({}), nullable: true }
  ).pipe(Schema.fromKey(key))
