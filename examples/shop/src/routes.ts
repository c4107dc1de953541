/** The shop's addresses. */
import { livePath, script } from "./live.ts"
import * as account from "./pages/account.ts"
import * as activity from "./pages/activity.ts"
import * as archive from "./pages/archive.ts"
import * as cancel from "./pages/cancel.ts"
import * as change from "./pages/change.ts"
import * as checkout from "./pages/checkout.ts"
import * as choose from "./pages/choose.ts"
import * as pause from "./pages/pause.ts"
import * as plans from "./pages/plans.ts"
import * as signIn from "./pages/signIn.ts"
import * as welcome from "./pages/welcome.ts"
import type { Visit } from "./Shop.ts"
import { asset } from "./web/responses.ts"
import { icon, iconPath, stylesheet, stylesheetPath } from "./web/style.ts"

export type Handler = (visit: Visit) => Promise<Response> | Response

interface Route {
  readonly method: "GET" | "POST"
  readonly path: string
  readonly handler: Handler
}

const get = (path: string, handler: Handler): Route => ({ method: "GET", path, handler })
const post = (path: string, handler: Handler): Route => ({ method: "POST", path, handler })

const routes: ReadonlyArray<Route> = [
  get("/", plans.show),
  get("/choose", choose.show),
  post("/subscribe", checkout.subscribe),
  post("/change", change.confirm),
  post("/account/undo", change.undo),
  get("/welcome", welcome.show),
  get("/account", account.show),
  get("/account/cancel", cancel.show),
  post("/account/cancel", cancel.confirm),
  post("/account/keep", cancel.keep),
  get("/account/pause", pause.show),
  post("/account/pause", pause.confirm),
  post("/account/resume", pause.resume),
  post("/account/portal", account.openPortal),
  get("/archive", archive.show),
  get("/activity", activity.show),
  post("/activity/check", activity.checkWithPolar),
  get("/activity/stream", ({ services }) => services.activity.stream()),
  get("/sign-in", signIn.show),
  post("/sign-in", signIn.signIn),
  post("/sign-out", signIn.signOut),
  get(stylesheetPath, () => asset(stylesheet, "text/css; charset=utf-8")),
  get(iconPath, () => asset(icon, "image/svg+xml")),
  get(livePath, () => asset(script, "text/javascript; charset=utf-8"))
]

/** The routes of a path: none, if there is no such page. */
export const routesAt = (path: string): ReadonlyArray<Route> => routes.filter((route) => route.path === path)
