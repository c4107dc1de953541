/** What is said at start where the checkout route is mounted and nothing says what the app sells. */
import * as Effect from "effect/Effect"

export const warnOfAnyProduct = (products: object | string | undefined): Effect.Effect<void> =>
  products === undefined
    ? Effect.logWarning(
        'The checkout route sells any product of the organization to whoever is signed in, also one that was made for somebody else, and a subscription to any of them gives access. Name what you sell in `products`: an object such as { pro: "<the product\'s id at Polar>" }, or a list of ids. If it is meant, say `products: "any"`.'
      )
    : Effect.void
