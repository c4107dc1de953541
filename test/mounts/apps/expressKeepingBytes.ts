/** The same, with a parser that keeps the bytes. */
import type { IncomingMessage } from "node:http"
import express, { type Request } from "express"
import { toNodeListener } from "kavach-polar/node"
import { billing } from "../../examples/billing.ts"
import { userOf } from "../../examples/sessions.ts"

const handler = billing.handler({ getUser: (_request, { headers }: Request) => userOf(headers.cookie) })

const app = express()
const verify = (request: IncomingMessage, _response: unknown, rawBody: Buffer) => {
  Object.assign(request, { rawBody })
}
app.use(express.json({ limit: "4mb", verify }))
app.use("/auth/polar", toNodeListener(handler))
app.listen(process.env["PORT"])
