/** The fields of a body, by schema. What is wrong is said of the field; its value is in no answer. */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { InvalidRequest } from "./errorResponse.ts"

export const readFields = <A, I>(
  schema: Schema.Schema<A, I>,
  body: object,
  { others = "refused" }: { readonly others?: "refused" | "ignored" } = {}
): Either.Either<A, InvalidRequest> =>
  Either.mapLeft(
    Schema.decodeUnknownEither(schema)(body, { onExcessProperty: others === "refused" ? "error" : "ignore" }),
    (error) => new InvalidRequest({ problem: problemIn(error) })
  )

const problemIn = (error: ParseResult.ParseError): string => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  const field = issue?.path.join(".") ?? ""
  if (field === "") return "Invalid body"
  return issue?._tag === "Unexpected" ? `Unknown field: ${field.slice(0, 100)}` : `Invalid ${field}`
}
