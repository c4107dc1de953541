/** Express as many have it: every body is parsed before it comes to billing. */
import express, { type Request } from "express"
import { toNodeListener } from "kavach-polar/node"
import { billing } from "../../examples/billing.ts"
import { userOf } from "../../examples/sessions.ts"

const handler = billing.handler({ getUser: (_request, { headers }: Request) => userOf(headers.cookie) })

const app = express()
app.use(express.json({ limit: "4mb" }))
app.use("/auth/polar", toNodeListener(handler))
app.listen(process.env["PORT"])
