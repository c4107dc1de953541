/** Benefits, as the merchant makes, edits and deletes them. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import * as Either from "effect/Either"
import { type BenefitInput, benefitOf } from "./BenefitInput.ts"
import * as BenefitSync from "./BenefitSync.ts"
import * as Grants from "./Grants.ts"
import type { Benefit } from "./Records.ts"
import { notFound, type Refusal, refused } from "./Refusal.ts"
import type { Step } from "./Step.ts"
import * as Wire from "./Wire.ts"

export type Answer = Either.Either<Benefit, Refusal>

/** A benefit that is not deleted. */
export const find = (step: Step, id: string): Answer => {
  const benefit = step.find("benefits", id)
  return benefit === undefined || benefit.is_deleted ? Either.left(notFound) : Either.right(benefit)
}

const tell = (step: Step, benefit: Benefit, name: "created" | "updated"): Benefit => {
  step.emit(`benefit.${name}`, Wire.benefit(step.world, benefit))
  return benefit
}

export const create =
  (input: BenefitInput) =>
  (step: Step): Answer => {
    if (step.find("benefits", input.id) !== undefined) {
      return Either.left(refused(409, "BenefitExists", `There is a benefit with this id: ${input.id}`))
    }
    const benefit = benefitOf(input, { ...step.stamp(), id: input.id })
    return Either.right(tell(step, step.put("benefits", benefit), "created"))
  }

/** What the merchant edits. Properties are those of the benefit's type, any of them. */
export interface BenefitChange {
  readonly description?: string | undefined
  readonly metadata?: Metadata | undefined
  readonly visibility?: Benefit["visibility"] | undefined
  readonly properties?: Partial<Benefit["properties"]> | undefined
}

// What is edited of other types needs nothing done for those who have it, so no event of a grant tells it.
const reachesGrants: ReadonlySet<Benefit["type"]> = new Set(["license_keys", "discord"])

export const update =
  (id: string, { description, metadata, properties, visibility }: BenefitChange) =>
  (step: Step): Answer =>
    Either.map(find(step, id), (benefit) => {
      // Which properties go with which type, whoever edits it has to know, as at Polar.
      const changed = tell(
        step,
        step.update("benefits", id, {
          ...(description === undefined ? {} : { description }),
          ...(metadata === undefined ? {} : { metadata }),
          ...(visibility === undefined ? {} : { visibility }),
          ...(properties === undefined ? {} : { properties: { ...benefit.properties, ...properties } })
        } as Partial<Benefit>),
        "updated"
      )
      if (properties !== undefined && reachesGrants.has(changed.type)) {
        step.later(`edited ${id}`, (step) => {
          for (const grant of step.all("grants")) {
            if (grant.benefit_id === id && Grants.isGranted(grant)) Grants.renew(step, grant, changed)
          }
        })
      }
      return changed
    })

/** Deletes softly, which is told as an edit, and takes it back from everybody. */
export const remove =
  (id: string) =>
  (step: Step): Answer =>
    Either.map(find(step, id), () => {
      const deleted = tell(step, step.update("benefits", id, { is_deleted: true }), "updated")
      BenefitSync.afterBenefitDeleted(step, id)
      return deleted
    })
