/** How a user comes to have one customer at Polar, and nobody else's. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { PolarCustomer } from "../records/PolarObjects.ts"
import type { CreateCustomer } from "./PolarApi.ts"
import { CustomerEmailTaken, type PolarError, PolarRejected } from "./PolarError.ts"
import { withoutRefused } from "./withoutRefused.ts"

export interface Calls {
  readonly createCustomer: (input: CreateCustomer) => Effect.Effect<PolarCustomer, PolarError>
  readonly findCustomerByExternalId: (externalId: string) => Effect.Effect<Option.Option<PolarCustomer>, PolarError>
}

/**
 * Creates first, because that is what Polar decides in one step; who loses a race finds the winner's customer. The
 * e-mail address is never the way to a customer: an address proves nothing about who the user is.
 */
export const createOrGetCustomer =
  ({ createCustomer, findCustomerByExternalId }: Calls) =>
  (input: CreateCustomer): Effect.Effect<PolarCustomer, PolarError | CustomerEmailTaken> =>
    Effect.catchIf(withoutRefused(createCustomer, [["name", "name"]])(input), isAboutIdentity, (rejected) =>
      Effect.flatMap(
        findCustomerByExternalId(input.externalId),
        Option.match({
          onSome: Effect.succeed,
          onNone: () =>
            Effect.fail(isEmailTaken(rejected) ? new CustomerEmailTaken({ externalId: input.externalId }) : rejected)
        })
      )
    )

const concerns = (rejected: PolarRejected, field: string): boolean =>
  rejected.issues.some(({ path }) => path.at(-1) === field)

const isAboutIdentity = (error: PolarError): error is PolarRejected =>
  error._tag === "PolarRejected" && error.status === 422 && (concerns(error, "email") || concerns(error, "external_id"))

// An address that is malformed, or that no mail reaches, breaks the schema (RequestValidationError); only one that
// another customer has breaks a business rule.
const isEmailTaken = (rejected: PolarRejected): boolean =>
  rejected.code === "PolarRequestValidationError" && concerns(rejected, "email")

/**
 * Polar trims an external id when it creates the customer but nowhere else: two users, `u` and `u` with a space, would
 * come to share one customer.
 */
export const refuseTrimmed = (input: CreateCustomer): Effect.Effect<void, PolarRejected> =>
  input.externalId === "" || /^[\s\p{Cc}]|[\s\p{Cc}]$/u.test(input.externalId)
    ? Effect.fail(
        new PolarRejected({
          operation: "create customer",
          status: null,
          code: null,
          detail: null,
          issues: [{ path: ["external_id"], message: "It is empty, or has space around it, which Polar removes." }]
        })
      )
    : Effect.void
