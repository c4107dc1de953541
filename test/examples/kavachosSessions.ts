import { createKavach, polar } from "kavach-polar"

/** Your own sessions: who sends this request? */
declare const sessionOf: (cookie: string | null) => Promise<{ userId: string; email: string } | null>

const kavach = await createKavach({
  database: { provider: "postgres", url: process.env["DATABASE_URL"] },
  plugins: [
    polar({ accessToken: process.env["POLAR_ACCESS_TOKEN"], webhookSecret: process.env["POLAR_WEBHOOK_SECRET"] })
  ],
  getUser: async (request) => {
    const session = await sessionOf(request.headers.get("cookie"))
    return session === null ? null : { id: session.userId, email: session.email }
  }
})

// With Hono, Next and whatever else has web requests; `null` is for a route that is none of billing's.
export const handle = async (request: Request): Promise<Response> =>
  (await kavach.plugins.handleRequest(request, "/api/kavach")) ?? new Response(null, { status: 404 })
