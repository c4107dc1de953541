import Fastify, { type FastifyRequest } from "fastify"
import { toFastifyPlugin } from "kavach-polar/fastify"
import { billing } from "./billing.ts"
import { userOf } from "./sessions.ts"

// The second argument is Fastify's own request: with the session that a hook has put on it.
const handler = billing.handler({ getUser: (_request, { headers }: FastifyRequest) => userOf(headers.cookie) })

const app = Fastify()
await app.register(toFastifyPlugin(handler), { prefix: "/auth/polar" })
app.get("/", async () => "The rest of the app")
await app.listen({ port: Number(process.env["PORT"]) })
