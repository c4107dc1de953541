import { gates } from "kavach-polar/gates"
import { billing } from "./billing.ts"
import { userOf } from "./sessions.ts"

export const { requireAccess, requireBenefit, requireProduct } = gates(billing, {
  getUserId: async (request) => (await userOf(request.headers.get("cookie")))?.id,
  buyUrl: "/plans"
})

/** A route of Next, or whatever takes a function from a request to its response. */
export const GET = requireAccess({ product: "pro" })(() => Response.json({ report: "Q4" }))
