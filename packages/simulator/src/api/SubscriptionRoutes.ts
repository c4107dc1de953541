/** Subscriptions: lists, and the changes that Polar takes, one kind at a time. */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as ChangePreview from "../ChangePreview.ts"
import * as Customers from "../Customers.ts"
import * as Locks from "../Locks.ts"
import * as PlanChange from "../PlanChange.ts"
import type { PlanInput } from "../PlannedChange.ts"
import type { Subscription } from "../Records.ts"
import { invalid, type Refusal } from "../Refusal.ts"
import type { Step } from "../Step.ts"
import * as Subscriptions from "../Subscriptions.ts"
import * as Wire from "../Wire.ts"
import { Metadata, maybe, pathId, read, Time, Uuid } from "./Input.ts"
import * as Page from "./Page.ts"
import { created, ok, type Route, routesOf } from "./Route.ts"

const reason = {
  customer_cancellation_reason: maybe(
    Schema.Literal(
      "customer_service",
      "low_quality",
      "missing_features",
      "switched_service",
      "too_complex",
      "too_expensive",
      "unused",
      "other"
    )
  ),
  customer_cancellation_comment: maybe(Schema.String)
}

const Proration = maybe(Schema.Literal("invoice", "prorate", "next_period", "reset"))

const Create = Schema.Struct({
  product_id: Uuid,
  customer_id: Schema.optional(Uuid),
  external_customer_id: Schema.optional(Schema.String),
  metadata: Schema.optional(Metadata)
})

const Plan = Schema.Struct({
  product_id: maybe(Uuid),
  proration_behavior: Proration,
  discount_id: maybe(Uuid),
  trial_end: maybe(Schema.Union(Schema.Literal("now"), Time)),
  metadata: Schema.optional(Metadata)
})
const Cancel = Schema.Struct({ cancel_at_period_end: Schema.Boolean, ...reason })
const Revoke = Schema.Struct({ revoke: Schema.Literal(true), ...reason })
const Pause = Schema.Struct({ pause_at_period_end: Schema.Boolean, resumes_at: maybe(Time) })
const Resume = Schema.Struct({ resume: Schema.Literal(true) })
const PeriodEnd = Schema.Struct({ current_billing_period_end: Time })
const Clear = Schema.Struct({ pending_update: Schema.Null })
const Count = Schema.Int.pipe(Schema.between(1, 2 ** 31 - 1))
const Seats = Schema.Struct({ seats: Count, proration_behavior: Proration })
const Units = Schema.Struct({ units: Count, proration_behavior: Proration })
const OtherProduct = Schema.Struct({ product_id: Uuid, proration_behavior: Proration })

const exact = { exact: true }

const previewed = (body: unknown): Either.Either<PlanInput, Refusal> => {
  if (Predicate.hasProperty(body, "seats")) return read(Seats, body, exact)
  return Predicate.hasProperty(body, "units") ? read(Units, body, exact) : read(OtherProduct, body, exact)
}

/** Which kind of change it is, its own field tells; fields of two kinds are a mistake. */
const change = (id: string, body: unknown, step: Step): Subscriptions.Answer => {
  const has = (field: string) => Predicate.hasProperty(body, field)
  if (has("cancel_at_period_end")) {
    return Either.flatMap(read(Cancel, body, exact), ({ cancel_at_period_end, ...reason }) =>
      (cancel_at_period_end ? Subscriptions.cancel(id, reason) : Subscriptions.uncancel(id))(step)
    )
  }
  if (has("revoke")) {
    return Either.flatMap(read(Revoke, body, exact), (reason) => Subscriptions.revoke(id, reason)(step))
  }
  if (has("pause_at_period_end")) {
    return Either.flatMap(read(Pause, body, exact), ({ pause_at_period_end, resumes_at }) =>
      Subscriptions.schedulePause(id, pause_at_period_end, resumes_at ?? null)(step)
    )
  }
  if (has("resume")) return Either.flatMap(read(Resume, body, exact), () => Subscriptions.resume(id)(step))
  if (has("current_billing_period_end")) {
    return Either.flatMap(read(PeriodEnd, body, exact), (input) =>
      PlanChange.movePeriodEnd(id, input.current_billing_period_end)(step)
    )
  }
  if (has("pending_update")) {
    return Either.flatMap(read(Clear, body, exact), () => PlanChange.dropPendingUpdate(id)(step))
  }
  if (has("seats")) {
    return Either.flatMap(read(Seats, body, exact), (input) => PlanChange.updateQuantity(id, input)(step))
  }
  if (has("units")) {
    return Either.flatMap(read(Units, body, exact), (input) => PlanChange.updateQuantity(id, input)(step))
  }
  return Either.flatMap(read(Plan, body, exact), (input) => PlanChange.updatePlan(id, input)(step))
}

const subscriptions = routesOf("subscriptions")

const revokedStatuses: ReadonlySet<string> = new Set(["canceled", "unpaid"])

export const routes: ReadonlyArray<Route> = [
  subscriptions.get("/v1/subscriptions/", (step, { query }) => {
    const asked = Page.filters<Subscription>(query, {
      product_id: ({ product_id }) => product_id,
      customer_id: ({ customer_id }) => customer_id,
      external_customer_id: ({ customer_id }) => step.get("customers", customer_id).external_id,
      discount_id: ({ discount_id }) => discount_id,
      status: ({ status }) => status,
      customer_cancellation_reason: (row) => row.customer_cancellation_reason
    })
    const active = Page.flag(query, "active")
    const ending = Page.flag(query, "cancel_at_period_end")
    return Page.page({
      query,
      rows: step
        .all("subscriptions")
        .filter(
          (row) =>
            asked(row) &&
            (active === undefined || (active ? Subscriptions.isActive(row) : revokedStatuses.has(row.status))) &&
            (ending === undefined || row.cancel_at_period_end === ending) &&
            Page.hasMetadata(query, row.metadata)
        ),
      sorts: {
        started_at: ({ started_at }) => started_at,
        status: ({ status }) => status,
        current_period_end: ({ current_period_end }) => current_period_end,
        ended_at: ({ ended_at }) => ended_at,
        ends_at: ({ ends_at }) => ends_at,
        amount: ({ amount }) => amount,
        customer: ({ customer_id }) => step.get("customers", customer_id).email,
        product: ({ product_id }) => step.get("products", product_id).name
      },
      sorting: "-started_at",
      render: (subscription) => Wire.subscription(step.world, subscription)
    })
  }),

  subscriptions.post("/v1/subscriptions/", (step, { body }) =>
    Either.gen(function* () {
      const input = yield* read(Create, body)
      const [field, id, found] =
        input.customer_id === undefined
          ? [
              "external_customer_id",
              input.external_customer_id,
              Customers.byExternalId(step, input.external_customer_id ?? "")
            ]
          : ["customer_id", input.customer_id, step.find("customers", input.customer_id)]
      if (found === undefined || found.deleted_at !== null) {
        return yield* Either.left(invalid(field, "Customer does not exist.", id))
      }
      const subscription = yield* Subscriptions.createFree(input.product_id, found, input.metadata ?? {})(step)
      return created(Wire.subscription(step.world, subscription))
    })
  ),

  subscriptions.get("/v1/subscriptions/{id}", (step, { params }) =>
    Either.gen(function* () {
      return ok(Wire.subscription(step.world, yield* Subscriptions.find(step, yield* pathId(params))))
    })
  ),

  // Polar documents none of the previews.
  subscriptions.post("/v1/subscriptions/{id}/change-preview", (step, { body, params }) =>
    Either.gen(function* () {
      return ok(yield* ChangePreview.ofChange(yield* pathId(params), yield* previewed(body))(step))
    })
  ),

  subscriptions.get("/v1/subscriptions/{id}/charge-preview", (step, { params }) =>
    Either.gen(function* () {
      return ok(yield* ChangePreview.ofNextPeriod(yield* pathId(params))(step))
    })
  ),

  subscriptions.get("/v1/subscriptions/{id}/cancel-preview", (step, { params }) =>
    Either.gen(function* () {
      return ok(yield* ChangePreview.ofCancellation(yield* pathId(params))(step))
    })
  ),

  subscriptions.patch("/v1/subscriptions/{id}", (step, { body, params }) =>
    Either.gen(function* () {
      const id = yield* pathId(params)
      yield* Locks.check(step, id)
      const changed = yield* change(id, body, step)
      return ok(Wire.subscription(step.world, changed))
    })
  ),

  subscriptions.delete("/v1/subscriptions/{id}", (step, { params }) =>
    Either.gen(function* () {
      const id = yield* pathId(params)
      yield* Locks.check(step, id)
      const ended = yield* Subscriptions.revoke(id)(step)
      return ok(Wire.subscription(step.world, ended))
    })
  )
]
