/** The simulator's pages, in front of its API. */
import * as Effect from "effect/Effect"
import type * as Simulator from "../Simulator.ts"
import * as CheckoutPage from "./CheckoutPage.ts"
import * as Console from "./Console.ts"
import * as DocumentPage from "./DocumentPage.ts"
import { isLoopback, isSameOrigin, readForm } from "./Form.ts"
import { html } from "./Html.ts"
import { livePath, liveScript } from "./Live.ts"
import { iconPath, iconResponse, scriptResponse, stylesheetPath, stylesheetResponse } from "./Page.ts"
import * as PortalPage from "./PortalPage.ts"
import { find, type Route } from "./Router.ts"
import { consolePage, explanation, type Handler, sentence } from "./Visit.ts"

const file =
  (respond: () => Response): Handler =>
  () =>
    Effect.sync(respond)

const routes: ReadonlyArray<Route<Handler>> = [
  { method: "GET", path: stylesheetPath, handler: file(stylesheetResponse) },
  { method: "GET", path: iconPath, handler: file(iconResponse) },
  { method: "GET", path: livePath, handler: file(() => scriptResponse(liveScript)) },
  ...Console.routes,
  ...CheckoutPage.routes,
  ...DocumentPage.routes,
  ...PortalPage.routes
]

const isApi = /^\/(?:api\/)?v1\//

/** Answers requests for the pages, and passes all others on to the API. */
export const withApi =
  (simulator: Simulator.Service) =>
  (request: Request): Effect.Effect<Response> =>
    Effect.gen(function* () {
      const url = new URL(request.url)
      const found = isApi.test(url.pathname)
        ? ({ _tag: "Unknown" } as const)
        : find(routes, request.method, url.pathname)
      if (found._tag === "Unknown") return yield* simulator.handle(request)
      if (found._tag === "WrongMethod") {
        const text = html`<p>This address takes ${found.allow} only.</p>`
        return withAllow(explanation(405, "That does not work here", text, consolePage), found.allow)
      }
      const form = request.method === "POST" ? yield* posted(simulator, request) : new URLSearchParams()
      if (form instanceof Response) return form
      return yield* found
        .handler({ simulator, url, params: found.params, form })
        .pipe(
          Effect.catchAll((refusal) =>
            Effect.succeed(
              explanation(
                refusal.status,
                "The simulator refuses this",
                html`<p>${sentence(refusal)}</p><p><a href="/">Back to the console</a></p>`,
                consolePage
              )
            )
          )
        )
    })

const withAllow = (response: Response, allow: string): Response => {
  response.headers.set("allow", allow)
  return response
}

/** What a page of ours posted, or a refusal of what did not come from one. */
const posted = (simulator: Simulator.Service, request: Request): Effect.Effect<URLSearchParams | Response> =>
  Effect.gen(function* () {
    const origin = yield* simulator.read((world) => world.origin)
    const isOwn = isLoopback(request) || new URL(request.url).origin === origin
    if (!isOwn || !isSameOrigin(request)) {
      const text = html`<p>Another site tried to use the simulator in your name, and nothing was done.</p>`
      return explanation(403, "That did not come from here", text, consolePage)
    }
    const form = yield* Effect.promise(() => readForm(request).catch(() => undefined))
    return (
      form ?? explanation(400, "That is no form", html`<p>The body is too large, or no form at all.</p>`, consolePage)
    )
  })
