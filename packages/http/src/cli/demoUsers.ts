/** The users of the demo server, and how a request says which of them it is from. */
import type { SessionUser } from "../routes/Session.ts"

/** The first one is the customer of the example deliveries. */
export const demoUsers = [
  { id: "usr_1042", email: "ada.martin@acme-mail.dev", name: "Ada Martin" },
  { id: "usr_1043", email: "lin.osei@acme-mail.dev", name: "Lin Osei" }
] as const satisfies ReadonlyArray<SessionUser>

/** By the header `x-demo-user` or the cookie `demo_user`. No security at all: for a demo on this machine. */
export const demoUserOf = (request: Request): SessionUser | null => {
  const id = request.headers.get("x-demo-user") ?? cookieOf(request, "demo_user")
  return demoUsers.find((user) => user.id === id) ?? null
}

const cookieOf = (request: Request, name: string): string | undefined => {
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const [key, value] = pair.trim().split("=")
    if (key === name) return value
  }
  return undefined
}
