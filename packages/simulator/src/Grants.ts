/** Grants: given, kept for another period, taken back, and given again under the same id. */
import * as Either from "effect/Either"
import * as GrantedProperties from "./GrantedProperties.ts"
import type { Benefit, Grant, Order, Subscription } from "./Records.ts"
import { notFound, type Refusal, refused } from "./Refusal.ts"
import type { Step } from "./Step.ts"
import * as Wire from "./Wire.ts"

/** By what a customer has benefits: each of these gives a grant of its own. */
export type Scope = Pick<Grant, "customer_id" | "subscription_id" | "order_id">

export const bySubscription = ({ customer_id, id }: Subscription): Scope => ({
  customer_id,
  subscription_id: id,
  order_id: null
})

export const byOrder = ({ customer_id, id }: Order): Scope => ({ customer_id, subscription_id: null, order_id: id })

/** All that the scope ever gave, the oldest first. */
export const of = (step: Step, scope: Scope): ReadonlyArray<Grant> =>
  step
    .all("grants")
    .filter((grant) => grant.subscription_id === scope.subscription_id && grant.order_id === scope.order_id)

export const isGranted = ({ granted_at }: Grant): boolean => granted_at !== null

export const isRevoked = ({ revoked_at }: Grant): boolean => revoked_at !== null

type EventName = "created" | "updated" | "cycled" | "revoked"

const tell = (step: Step, grant: Grant, name: EventName): Grant => {
  step.emit(`benefit_grant.${name}`, Wire.grantEvent(step.world, grant))
  step.stateChanged(grant.customer_id)
  return grant
}

/** Writes the change, and tells it. */
const change = (step: Step, { id, properties }: Grant, changes: Partial<Grant>, name: EventName): Grant =>
  tell(step, step.update("grants", id, { previous_properties: properties, ...changes }), name)

/** What becomes of a grant that is not there yet, or was not granted: it is granted, or waits for the customer. */
const attempt = (step: Step, benefit: Benefit, grant: Grant): Partial<Grant> => {
  const outcome = GrantedProperties.granted(step, benefit, grant)
  const at = step.now()
  return "needed" in outcome
    ? {
        granted_at: null,
        revoked_at: null,
        error: { type: "BenefitActionRequiredError", message: outcome.needed, at }
      }
    : { granted_at: at, revoked_at: null, error: null, properties: outcome.properties }
}

/**
 * Gives the benefit, unless it is given. What was taken back comes back under its id, and is `created` again. What waits
 * for the customer is left to the customer.
 */
export const give = (step: Step, scope: Scope, benefit: Benefit): Grant => {
  const known = of(step, scope).find(({ benefit_id }) => benefit_id === benefit.id)
  if (known !== undefined)
    return isRevoked(known) ? change(step, known, attempt(step, benefit, known), "created") : known
  const fresh: Grant = {
    ...step.stamp(),
    ...scope,
    benefit_id: benefit.id,
    granted_at: null,
    revoked_at: null,
    error: null,
    properties: {},
    previous_properties: {}
  }
  return tell(step, step.put("grants", { ...fresh, ...attempt(step, benefit, fresh) }), "created")
}

/** Takes it back; nothing is told of what is taken back already. */
export const revoke = (step: Step, grant: Grant): Grant =>
  isRevoked(grant)
    ? grant
    : change(
        step,
        grant,
        {
          granted_at: null,
          revoked_at: step.now(),
          error: null,
          properties: GrantedProperties.takenBack(step, step.get("benefits", grant.benefit_id), grant)
        },
        "revoked"
      )

/** Another period has begun, and is paid. */
export const cycle = (step: Step, grant: Grant): Grant => change(step, grant, {}, "cycled")

/** The benefit has changed in a way that its grants do not have yet. */
export const renew = (step: Step, grant: Grant, benefit: Benefit): Grant => {
  const outcome = GrantedProperties.granted(step, benefit, grant)
  return "needed" in outcome ? grant : change(step, grant, { properties: outcome.properties }, "updated")
}

export const find = (step: Step, id: string): Either.Either<Grant, Refusal> =>
  Either.fromNullable(step.find("grants", id), () => notFound)

/** The customer connects the account that the grant waits for, and has the benefit. */
export const connectAccount =
  (id: string, accountId = "300000000000000001") =>
  (step: Step): Either.Either<Grant, Refusal> =>
    Either.flatMap(find(step, id), (grant) => {
      if (grant.error === null) {
        return Either.left(refused(409, "GrantNotWaiting", "This grant waits for nothing that the customer has to do."))
      }
      const connected = { ...grant, properties: { account_id: accountId } }
      const benefit = step.get("benefits", grant.benefit_id)
      return Either.right(change(step, connected, attempt(step, benefit, connected), "updated"))
    })
