import { Hono } from "hono"
import { billing } from "./billing.ts"
import { staffOf } from "./staff.ts"

export const app = new Hono()

app.on(["GET", "POST"], "/internal/billing", (c) =>
  billing.console(c.req.raw, {
    authorize: async () => {
      const staff = await staffOf(c.req.header("cookie"))
      return staff !== null && { who: staff.name, may: staff.isOnCall ? "act" : "read" }
    }
  })
)
