/** Discounts, to read. */
import * as Either from "effect/Either"
import type { Discount } from "../Records.ts"
import { notFound } from "../Refusal.ts"
import * as Wire from "../Wire.ts"
import { pathId } from "./Input.ts"
import * as Page from "./Page.ts"
import { ok, type Route, routesOf } from "./Route.ts"

const discounts = routesOf("discounts")

export const routes: ReadonlyArray<Route> = [
  discounts.get("/v1/discounts/", (step, { query }) => {
    const text = query.get("query")?.toLowerCase()
    const asked = Page.filters<Discount>(query, { organization_id: () => step.world.organization.id })
    return Page.page({
      query,
      rows: step
        .all("discounts")
        .filter(
          (discount) =>
            asked(discount) &&
            (text === undefined || [discount.name, discount.code].some((words) => words?.toLowerCase().includes(text)))
        ),
      sorts: {
        created_at: ({ created_at }) => created_at,
        name: ({ name }) => name,
        code: ({ code }) => code,
        redemptions_count: (discount) => Wire.discount(step.world, discount).redemptions_count
      },
      sorting: "-created_at",
      render: (discount) => Wire.discount(step.world, discount)
    })
  }),

  discounts.get("/v1/discounts/{id}", (step, { params }) =>
    Either.gen(function* () {
      const discount = step.find("discounts", yield* pathId(params))
      return discount === undefined ? yield* Either.left(notFound) : ok(Wire.discount(step.world, discount))
    })
  )
]
