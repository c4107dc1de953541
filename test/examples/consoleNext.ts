import { billing } from "./billing.ts"
import { staffOf } from "./staff.ts"

const page = (request: Request) =>
  billing.console(request, {
    authorize: async (asking) => {
      const staff = await staffOf(asking.headers.get("cookie"))
      return staff !== null && { who: staff.name, may: staff.isOnCall ? "act" : "read" }
    }
  })

export { page as GET, page as POST }
