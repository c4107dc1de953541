import express, { type Request } from "express"
import { toNodeListener } from "kavach-polar/node"
import { billing } from "./billing.ts"
import { userOf } from "./sessions.ts"

// The second argument is Express's own request: with the session that a middleware before has put on it.
const handler = billing.handler({ getUser: (_request, { headers }: Request) => userOf(headers.cookie) })

const app = express()
app.use("/auth/polar", toNodeListener(handler))
app.use(express.json())
app.get("/", (_request, response) => void response.send("The rest of the app"))
app.listen(process.env["PORT"])
