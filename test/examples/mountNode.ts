import { createServer } from "node:http"
import { toNodeListener } from "kavach-polar/node"
import { billing } from "./billing.ts"
import { userOf } from "./sessions.ts"

const handler = billing.handler({ getUser: (request) => userOf(request.headers.get("cookie")) })
const listener = toNodeListener(handler)

createServer((request, response) => {
  if (request.url?.startsWith("/auth/polar/")) void listener(request, response)
  else response.end("The rest of the app")
}).listen(process.env["PORT"])
