import { serve } from "@hono/node-server"
import { type Context, Hono } from "hono"
import { billing } from "./billing.ts"
import { userOf } from "./sessions.ts"

// The second argument is what you pass: here Hono's context, with what a middleware has put in it.
const handler = billing.handler({ getUser: (_request, c: Context) => userOf(c.req.header("cookie")) })

const app = new Hono()
app.all("/auth/polar/*", (c) => handler(c.req.raw, c))
app.get("/", (c) => c.text("The rest of the app"))
serve({ fetch: app.fetch, port: Number(process.env["PORT"]) })
