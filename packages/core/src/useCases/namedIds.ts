/**
 * What a call is given to name something of Polar's with. A wrong name is a mistake in the app's code, as a wrong option is:
 * the call dies with an `InvalidOption`.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Catalogue, notAnId } from "../rules/catalogue.ts"
import { CustomerId, isPolarId, ProductId } from "../values/ids.ts"
import { InvalidOption } from "../values/options.ts"
import type { AccessOptions } from "./callOptions.ts"

const isProductId = Schema.is(ProductId)

const refused = (call: string, option: string, problem: string) =>
  Effect.die(new InvalidOption({ call, option, problem }))

export const makeProductNames = (catalogue: Catalogue | undefined) => {
  /** The id of a product, by its name in the catalogue or by its id. One that the catalogue lacks is a product all the same. */
  const product = (call: string, option: string, given: string): Effect.Effect<ProductId> => {
    const offered = catalogue?.offered(given)
    if (offered !== undefined) return Effect.succeed(offered)
    // A UUID is all that an id of a product has to be.
    if (isPolarId(given)) return Effect.succeed(given.toLowerCase() as ProductId)
    return refused(call, option, catalogue?.problemOf(given) ?? notAnId)
  }

  /** The same for a product to buy: without a catalogue it is Polar who says what it sells. */
  const toBuy = (call: string, option: string, given: string): Effect.Effect<ProductId> =>
    catalogue === undefined && isProductId(given) && !isPolarId(given)
      ? Effect.succeed(given)
      : product(call, option, given)

  /** One or several to buy, each once. */
  const allToBuy = (
    call: string,
    option: string,
    given: string | ReadonlyArray<string>
  ): Effect.Effect<Arr.NonEmptyReadonlyArray<ProductId>> =>
    typeof given === "string"
      ? Effect.map(toBuy(call, option, given), Arr.of)
      : Effect.forEach([...new Set(given)], (one, index) => toBuy(call, `${option}.${index}`, one)).pipe(
          Effect.flatMap((ids) =>
            Arr.isNonEmptyReadonlyArray(ids)
              ? Effect.succeed(Arr.dedupe(ids))
              : refused(call, option, "name one product at least")
          )
        )

  /** Which products `access` is asked for; `undefined` is any. */
  const asked = (call: string, options: AccessOptions | undefined): Effect.Effect<ReadonlySet<string> | undefined> => {
    if (options?.product === undefined && options?.products === undefined) return Effect.succeed(undefined)
    const one = options.product === undefined ? [] : [product(call, "product", options.product)]
    const several = (options.products ?? []).map((given, index) => product(call, `products.${index}`, given))
    return Effect.map(Effect.all([...one, ...several]), (ids) => new Set<string>(ids))
  }

  return { product, toBuy, allToBuy, asked }
}

export const customerNamed = (call: string, given: string): Effect.Effect<CustomerId> =>
  isPolarId(given)
    ? Effect.succeed(CustomerId.make(given.toLowerCase()))
    : refused(call, "customerId", "it must be an id of Polar's, a UUID, as its dashboard shows it")
