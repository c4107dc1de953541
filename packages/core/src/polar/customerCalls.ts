/** Calls about a customer as a person (Polar docs: api-reference/customers/delete). */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { CustomerId } from "../values/ids.ts"
import type { PolarError } from "./PolarError.ts"
import type { PolarHttp } from "./polarHttp.ts"

export interface CustomerCalls {
  /**
   * Deletes the customer: its subscriptions that are billed end now, its benefits are revoked, and its address and external id
   * may be another's. With `anonymize` name and address are replaced, too. One that is deleted already is no error.
   */
  readonly deleteCustomer: (id: CustomerId, options: { readonly anonymize: boolean }) => Effect.Effect<void, PolarError>
}

export const makeCustomerCalls = (call: PolarHttp["call"]): CustomerCalls => ({
  deleteCustomer: Effect.fn("PolarClient.deleteCustomer")((id: CustomerId, { anonymize }) =>
    call(
      {
        operation: "delete customer",
        method: "DELETE",
        path: `/v1/customers/${encodeURIComponent(id)}`,
        template: "/v1/customers/{id}",
        query: anonymize ? [["anonymize", "true"]] : [],
        answersNothing: true
      },
      Schema.Null
    ).pipe(
      Effect.asVoid,
      Effect.catchTag("PolarNotFound", () => Effect.void)
    )
  )
})
