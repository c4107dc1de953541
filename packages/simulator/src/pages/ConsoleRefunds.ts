/** What the console does with money that goes back. */
import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Refund } from "../Records.ts"
import * as Refunds from "../Refunds.ts"
import { invalid, type Refusal } from "../Refusal.ts"
import type { Visit } from "./Visit.ts"

/** Cents of an amount as people write it; nothing for none, and a refusal of what is no amount. */
const centsOf = (text: string): Either.Either<number | undefined, Refusal> => {
  if (text === "") return Either.right(undefined)
  return /^\d{1,9}(?:\.\d{1,2})?$/.test(text)
    ? Either.right(Math.round(Number(text) * 100))
    : Either.left(invalid("amount", "It must be an amount such as 9.50, or empty for all that is left.", text))
}

export const isLater = ({ form }: Visit): boolean => form.get("outcome") === "pending"

/** Sends back what was typed, or all that is left; what was bought stays unless it is said to be taken back, too. */
export const refund = (visit: Visit): Effect.Effect<Refund, Refusal> =>
  visit.simulator.run((step) =>
    Either.flatMap(centsOf(visit.form.get("amount")?.trim() ?? ""), (amount) =>
      Refunds.refund(visit.params["id"] ?? "", {
        amount,
        held: isLater(visit),
        revoke_benefits: visit.form.get("revoke_benefits") !== null
      })(step)
    )
  )

/** Says for the bank what became of a refund. */
export const settle = ({ form, params, simulator }: Visit): Effect.Effect<Refund, Refusal> =>
  simulator.run((step) => {
    const status = form.get("status")
    return status === "succeeded" || status === "failed" || status === "canceled"
      ? Refunds.settle(params["id"] ?? "", status)(step)
      : Either.left(invalid("status", "There is no such outcome.", status))
  })
