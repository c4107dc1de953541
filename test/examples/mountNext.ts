import { billing } from "./billing.ts"
import { userOf } from "./sessions.ts"

const handler = billing.handler({ getUser: (request) => userOf(request.headers.get("cookie")) })

export { handler as GET, handler as POST }
