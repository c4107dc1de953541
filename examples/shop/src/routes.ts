/** The shop's addresses. */
import { iconPath, iconResponse, stylesheetPath, stylesheetResponse } from "@kavach-polar/simulator/pages/Page"
import type { Route } from "@kavach-polar/simulator/pages/Router"
import { livePath, liveScript } from "./live.ts"
import * as account from "./pages/account.ts"
import * as activity from "./pages/activity.ts"
import * as archive from "./pages/archive.ts"
import * as plans from "./pages/plans.ts"
import * as signIn from "./pages/signIn.ts"
import type { Visit } from "./Shop.ts"

export type Handler = (visit: Visit) => Promise<Response> | Response

const get = (path: string, handler: Handler): Route<Handler> => ({ method: "GET", path, handler })
const post = (path: string, handler: Handler): Route<Handler> => ({ method: "POST", path, handler })

export const routes: ReadonlyArray<Route<Handler>> = [
  get("/", plans.show),
  post("/subscribe", plans.subscribe),
  get("/welcome", plans.welcome),
  get("/account", account.show),
  post("/account/portal", account.openPortal),
  post("/account/check", account.checkWithPolar),
  get("/archive", archive.show),
  get("/activity", activity.show),
  get("/activity/stream", ({ services }) => services.activity.stream()),
  get("/sign-in", signIn.show),
  post("/sign-in", signIn.signIn),
  post("/sign-out", signIn.signOut),
  get(stylesheetPath, stylesheetResponse),
  get(iconPath, iconResponse),
  get(livePath, liveScript)
]
