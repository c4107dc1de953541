/** The shop: kavach-polar behind a few pages. Start reading here. */
import { randomBytes } from "node:crypto"
import { createKavach, type Polar, polar } from "@kavach-polar/http"
import type { SessionUser } from "@kavach-polar/http/Session"
import { type Activity, makeActivity, type Notification } from "./activity.ts"
import { type Plan, rememberPlans } from "./catalog.ts"
import { problemPage } from "./pages/frame.ts"
import { failurePage } from "./pages/problem.ts"
import { routesAt } from "./routes.ts"
import { makeSessions, type Sessions } from "./sessions.ts"
import { addUsers, users } from "./users.ts"
import { watchTime } from "./watchTime.ts"
import { isSameOrigin, readForm } from "./web/forms.ts"

export interface ShopOptions {
  /** The file of the SQLite database. */
  readonly database: string
  readonly accessToken: string
  readonly webhookSecret: string
  /** Where Polar's API is: the sandbox's, or a simulator's. */
  readonly apiBaseUrl: string
  /** Where the shop is reached, such as `http://127.0.0.1:3000`. */
  readonly origins: ReadonlyArray<string>
  /** The simulator that stands in for Polar, if one does. */
  readonly simulator?: Simulated | undefined
  readonly onNotification?: ((notification: Notification) => void) | undefined
  /** What a page could not do. Errors of kavach-polar say what was wrong and what to do, and no secrets. */
  readonly onFailure?: ((error: unknown) => void) | undefined
}

export interface Simulated {
  /** Where its console is. */
  readonly url: string
  /** Its time, which may have been moved on. */
  readonly now: () => Promise<Date>
}

/** What the pages work with. */
export interface Services {
  readonly billing: Polar
  readonly sessions: Sessions
  readonly activity: Activity
  readonly users: ReadonlyArray<SessionUser>
  readonly plans: () => Promise<ReadonlyArray<Plan>>
  /** Polar's time. */
  readonly now: () => Promise<Date>
  readonly simulator: Simulated | undefined
  /** Origins that checkouts and the portal may be at. */
  readonly polarOrigins: ReadonlyArray<string>
}

/** One request for a page. */
export interface Visit {
  readonly services: Services
  readonly request: Request
  readonly url: URL
  /** What was posted; empty for a page that is only looked at. */
  readonly form: URLSearchParams
  readonly user: SessionUser | null
}

export interface Shop {
  /** Answers every request: the pages, and below `/auth/polar` the routes of kavach-polar. */
  readonly handle: (request: Request) => Promise<Response>
  /** Ends the pages' open connections, which would go on for as long as the pages are open. */
  readonly endStreams: () => void
  /** Lets callbacks under way finish, and closes the database. */
  readonly close: () => Promise<void>
}

export const openShop = async (options: ShopOptions): Promise<Shop> => {
  const now = options.simulator?.now ?? (async () => new Date())
  const activity = makeActivity()
  const sessions = makeSessions({
    users,
    key: randomBytes(32),
    secure: options.origins.every((origin) => origin.startsWith("https:"))
  })

  const billing = polar({
    accessToken: options.accessToken,
    webhookSecret: options.webhookSecret,
    apiBaseUrl: options.apiBaseUrl,
    trustedOrigins: options.origins,
    // The shop shows whatever the organization has; yours names what it sells.
    products: "any",
    onSubscriptionChange: async (userId, { cancelAtPeriodEnd, currentPeriodEnd, id, productId, status }) => {
      const state = { subscriptionId: id, status, productId, currentPeriodEnd, cancelAtPeriodEnd }
      const notification = { at: await now(), userId, ...state }
      activity.add(notification)
      options.onNotification?.(notification)
    },
    // The pages read what is stored; they only have to look again.
    onPurchase: activity.changed,
    onBenefitGranted: activity.changed,
    onBenefitRevoked: activity.changed
  })
  const kavach = await createKavach({
    database: { provider: "sqlite", url: options.database },
    plugins: [billing],
    getUser: sessions.userOf
  })
  // An auth framework would have put them there when they signed up.
  addUsers(options.database)

  const services: Services = {
    billing,
    sessions,
    activity,
    users,
    plans: rememberPlans(options),
    now,
    simulator: options.simulator,
    polarOrigins:
      options.simulator === undefined ? ["https://sandbox.polar.sh", "https://polar.sh"] : [options.simulator.url]
  }
  const stopWatching =
    options.simulator === undefined
      ? () => {}
      : watchTime({ now, onMove: activity.changed, onFailure: (error) => options.onFailure?.(error) })
  return {
    handle: async (request) =>
      (await kavach.plugins.handleRequest(request)) ?? answerPage(services, request, options.onFailure),
    endStreams: activity.close,
    close: () => {
      stopWatching()
      return kavach.close()
    }
  }
}

const answerPage = async (
  services: Services,
  request: Request,
  onFailure: ShopOptions["onFailure"]
): Promise<Response> => {
  const url = new URL(request.url)
  const user = services.sessions.userOf(request)
  const visit = { services, request, url, user, form: new URLSearchParams() }
  try {
    const candidates = routesAt(url.pathname)
    if (candidates.length === 0) {
      return await problemPage(visit, 404, "There is no such page", "The address may be mistyped.")
    }
    const method = request.method === "HEAD" ? "GET" : request.method
    const route = candidates.find((candidate) => candidate.method === method)
    if (route === undefined) {
      const allow = candidates.map((candidate) => candidate.method).join(", ")
      const page = await problemPage(visit, 405, "That does not work here", `This address takes ${allow} only.`)
      page.headers.set("allow", allow)
      return page
    }
    if (method === "GET") return await route.handler(visit)
    if (!isSameOrigin(request)) {
      return await problemPage(
        visit,
        403,
        "That did not come from this shop",
        "Another site tried to do something in your name. Nothing was done."
      )
    }
    const form = await readForm(request)
    return form === undefined
      ? await problemPage(visit, 400, "That is no form", "The body is too large, or no form at all.")
      : await route.handler({ ...visit, form })
  } catch (error) {
    onFailure?.(error)
    return failurePage(visit, error)
  }
}
