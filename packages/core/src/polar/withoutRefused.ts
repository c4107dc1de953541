/** What only fills in a form must not keep a checkout or a customer from being made: what Polar refuses of it is left out. */
import * as Effect from "effect/Effect"
import type { PolarError } from "./PolarError.ts"
import { refusalOf, refusesOnly } from "./refusedFields.ts"

/** Polar docs: checkouts, customers. Counted in characters, not in halves of them. */
const longestName = 256

/** A name as Polar takes it: the first 256 characters, and none for a blank one. */
export const formName = (name: string | undefined): string | undefined => {
  if (name === undefined) return undefined
  const characters = Array.from(name.trim())
  return characters.length === 0 ? undefined : characters.slice(0, longestName).join("").trim()
}

/**
 * Makes the call; when Polar refuses nothing but dispensable fields, once more without those it refused, until there are none
 * left. `fields`: each field of the input, by Polar's name for it.
 */
export const withoutRefused = <Input extends object, A>(
  call: (input: Input) => Effect.Effect<A, PolarError>,
  fields: ReadonlyArray<readonly [field: keyof Input, name: string]>
) => {
  const attempt = (input: Input): Effect.Effect<A, PolarError> => {
    const given = fields.filter(([field]) => input[field] !== undefined)
    const names = given.map(([, name]) => name)
    return Effect.catchIf(
      call(input),
      (error): error is PolarError => refusesOnly(error, names),
      (error) => {
        const refused = given.filter(
          ([, name]) => error._tag === "PolarRejected" && refusalOf(error, name) !== undefined
        )
        return attempt({ ...input, ...Object.fromEntries(refused.map(([field]) => [field, undefined])) })
      }
    )
  }
  return attempt
}
