/** Refunds: asked for, and listed. There is no address of a single one. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Refund } from "../Records.ts"
import * as Refunds from "../Refunds.ts"
import * as Wire from "../Wire.ts"
import { Metadata, maybe, read, Uuid } from "./Input.ts"
import * as Page from "./Page.ts"
import { created, type Route, routesOf } from "./Route.ts"

const Create = Schema.Struct({
  order_id: Uuid,
  reason: Schema.Literal(
    "duplicate",
    "fraudulent",
    "customer_request",
    "service_disruption",
    "satisfaction_guarantee",
    "other"
  ),
  amount: Schema.Int.pipe(Schema.positive()),
  comment: maybe(Schema.String),
  revoke_benefits: Schema.optional(Schema.Boolean),
  metadata: Schema.optional(Metadata)
})

const refunds = routesOf("refunds")

export const routes: ReadonlyArray<Route> = [
  refunds.get("/v1/refunds/", (step, { query }) => {
    const succeeded = Page.flag(query, "succeeded")
    const asked = Page.filters<Refund>(query, {
      id: ({ id }) => id,
      organization_id: () => step.world.organization.id,
      order_id: ({ order_id }) => order_id,
      subscription_id: ({ subscription_id }) => subscription_id,
      customer_id: ({ customer_id }) => customer_id,
      external_customer_id: ({ customer_id }) => step.get("customers", customer_id).external_id
    })
    return Page.page({
      query,
      rows: step
        .all("refunds")
        .filter(
          (refund) => asked(refund) && (succeeded === undefined || (refund.status === "succeeded") === succeeded)
        ),
      sorts: { created_at: ({ created_at }) => created_at, amount: ({ amount }) => amount },
      sorting: "-created_at",
      render: (refund) => Wire.refund(step.world, refund)
    })
  }),

  refunds.post("/v1/refunds/", (step, { body }) =>
    Either.gen(function* () {
      const refund = yield* Refunds.create(yield* read(Create, body))(step)
      // As it is when all is told: nothing changes it after it was created.
      return created(Wire.refund(step.world, refund))
    })
  )
]
