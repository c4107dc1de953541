import express from "express"
import { toNodeListener } from "kavach-polar/node"
import { billing } from "./billing.ts"
import { staffOf } from "./staff.ts"

export const app = express()

app.all(
  "/internal/billing",
  toNodeListener((request) =>
    billing.console(request, {
      authorize: async ({ headers }) => {
        const staff = await staffOf(headers.get("cookie"))
        return staff !== null && { who: staff.name, may: staff.isOnCall ? "act" : "read" }
      }
    })
  )
)
