/** Products, as the merchant makes and edits them. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import * as Either from "effect/Either"
import * as BenefitSync from "./BenefitSync.ts"
import * as Benefits from "./Benefits.ts"
import type { Product } from "./Records.ts"
import { type Issue, issue, notFound, type Refusal, refused, rulesBroken } from "./Refusal.ts"
import * as Seed from "./Seed.ts"
import type { Step } from "./Step.ts"
import * as Wire from "./Wire.ts"

export type Answer = Either.Either<Product, Refusal>

export const find = (step: Step, id: string): Answer => Either.fromNullable(step.find("products", id), () => notFound)

const tell = (step: Step, product: Product, name: "created" | "updated"): Product => {
  step.emit(`product.${name}`, Wire.product(step.world, product))
  return product
}

/** Makes a product, and those of its benefits that are not there. */
export const create =
  (input: Seed.ProductInput) =>
  (step: Step): Answer =>
    Either.gen(function* () {
      if (step.find("products", input.id) !== undefined) {
        return yield* Either.left(refused(409, "ProductExists", `There is a product with this id: ${input.id}`))
      }
      for (const benefit of input.benefits ?? []) {
        if (step.find("benefits", benefit.id) === undefined) yield* Benefits.create(benefit)(step)
      }
      const product = Seed.product(input, step.now())
      return tell(step, step.put("products", product), "created")
    })

/** What can be edited. */
export interface ProductChange {
  readonly name?: string | undefined
  readonly description?: string | null | undefined
  readonly metadata?: Metadata | undefined
  readonly archived?: boolean | undefined
}

export const update =
  (id: string, { archived, description, metadata, name }: ProductChange) =>
  (step: Step): Answer =>
    Either.map(find(step, id), () =>
      tell(
        step,
        step.update("products", id, {
          ...(name === undefined ? {} : { name }),
          ...(description === undefined ? {} : { description }),
          ...(metadata === undefined ? {} : { metadata }),
          ...(archived === undefined ? {} : { is_archived: archived })
        }),
        "updated"
      )
    )

/** What the product gives from now on, to those who have it too. */
export const setBenefits =
  (id: string, benefitIds: ReadonlyArray<string>) =>
  (step: Step): Answer =>
    Either.flatMap(find(step, id), () => {
      const issues = benefitIds.flatMap(
        (benefitId, index): ReadonlyArray<Issue> =>
          Either.isRight(Benefits.find(step, benefitId))
            ? []
            : [issue(["benefits", index], "Benefit does not exist.", benefitId)]
      )
      if (issues.length > 0) return Either.left(rulesBroken(issues))
      // Polar leaves `modified_at` of the product as it was.
      const product = step.put("products", { ...step.get("products", id), benefit_ids: benefitIds })
      BenefitSync.afterProduct(step, id)
      return Either.right(tell(step, product, "updated"))
    })
