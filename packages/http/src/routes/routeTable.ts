/** Every route: where it is, what it is for, and whether an app can do without it. */

export interface RouteEntry {
  readonly method: "GET" | "POST"
  /** Below `/auth/polar`. `:id` is one segment. */
  readonly path: string
  /** What it is called in `routes`, which can switch it off. */
  readonly option?: string
  readonly description: string
}

/** For the signed-in user's browser. */
export const browserRoutes = {
  checkout: {
    method: "POST",
    path: "/checkout",
    description: "Creates a Polar checkout session for the signed-in user"
  },
  completeCheckout: {
    method: "GET",
    path: "/checkout/:id",
    option: "completeCheckout",
    description: "What became of the signed-in user's checkout"
  },
  subscription: {
    method: "GET",
    path: "/subscription",
    description: "The signed-in user's current Polar subscription"
  },
  access: {
    method: "GET",
    path: "/access",
    option: "access",
    description: "Whether the signed-in user has access"
  },
  changeSubscription: {
    method: "POST",
    path: "/subscription/change",
    option: "change",
    description: "Changes the signed-in user's subscription to another product or quantity"
  },
  previewChange: {
    method: "POST",
    path: "/subscription/preview",
    option: "preview",
    description: "What such a change would cost"
  },
  cancelSubscription: {
    method: "POST",
    path: "/subscription/cancel",
    option: "cancel",
    description: "Ends the signed-in user's subscription with its period"
  },
  uncancelSubscription: {
    method: "POST",
    path: "/subscription/uncancel",
    option: "uncancel",
    description: "Undoes that"
  },
  pauseSubscription: {
    method: "POST",
    path: "/subscription/pause",
    option: "pause",
    description: "Pauses the signed-in user's subscription at the end of its period"
  },
  resumeSubscription: {
    method: "POST",
    path: "/subscription/resume",
    option: "resume",
    description: "Goes on with it"
  },
  openPortal: {
    method: "GET",
    path: "/portal",
    option: "portal",
    description: "Sends the signed-in user to Polar's portal"
  },
  portalUrl: {
    method: "POST",
    path: "/portal",
    option: "portal",
    description: "Where Polar's portal is for the signed-in user"
  },
  benefits: {
    method: "GET",
    path: "/benefits",
    option: "benefits",
    description: "What the signed-in user was granted"
  },
  orders: {
    method: "GET",
    path: "/orders",
    option: "orders",
    description: "The signed-in user's orders"
  }
} as const satisfies Readonly<Record<string, RouteEntry>>

export type BrowserRoute = keyof typeof browserRoutes

/** For a monitor, which is nobody's browser. It is off unless asked for. */
export const healthRoute = {
  method: "GET",
  path: "/health",
  option: "health",
  description: "Whether billing works"
} as const satisfies RouteEntry

/** What an app can do without, by its name in `routes`. */
export type RouteOption =
  | Extract<(typeof browserRoutes)[BrowserRoute], { readonly option: string }>["option"]
  | (typeof healthRoute)["option"]

/** Routes that are to be off say `false`; `health`, which is off, says `true` to be on. */
export type RoutesOption = { readonly [Name in RouteOption]?: boolean | undefined }

export const isOn = (name: BrowserRoute, routes: RoutesOption | undefined): boolean => {
  const route: RouteEntry = browserRoutes[name]
  return route.option === undefined || routes?.[route.option as RouteOption] !== false
}

export const isHealthOn = (routes: RoutesOption | undefined): boolean => routes?.health === true

export const routeOptions: ReadonlyArray<RouteOption> = [
  ...new Set(Object.values(browserRoutes).flatMap((route) => ("option" in route ? [route.option] : []))),
  healthRoute.option
]

export const prefix = "/auth/polar"
