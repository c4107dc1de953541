/**
 * The console: from a web request to a page. It is mounted at one path, whatever that is; which page is asked for, the query
 * says, so that no link needs to know the path.
 */
import type * as Redacted from "effect/Redacted"
import { type Deed, deedNamed } from "./actions.ts"
import type { ConsoleAction, ConsoleOptions, ConsoleViewer } from "./ConsoleOptions.ts"
import { csrfToken, isCsrfToken } from "./csrfToken.ts"
import { isFromElsewhere, readForm } from "./form.ts"
import { html } from "./html.ts"
import { methodNotAllowed, type Page, respond, scriptResponse, seeOther } from "./page.ts"
import { audit } from "./pages/audit.ts"
import { confirmPage } from "./pages/confirm.ts"
import { deliveries, deliveryPage } from "./pages/deliveries.ts"
import { jobs } from "./pages/jobs.ts"
import { notifications } from "./pages/notifications.ts"
import { overview } from "./pages/overview.ts"
import { people, personPage, search } from "./pages/people.ts"
import { settings } from "./pages/settings.ts"
import type { Visit } from "./Visit.ts"
import { ConsoleNotAuthorized, viewerOf } from "./viewer.ts"

export interface ConsoleHost {
  readonly run: Visit["run"]
  readonly csrfKey: Redacted.Redacted<Buffer>
  /** Logs what the page does not say. */
  readonly logFailure: (what: string, error: unknown) => void
}

const pages: Readonly<Record<string, (visit: Visit) => Page | Promise<Page>>> = {
  overview,
  deliveries,
  delivery: deliveryPage,
  notifications,
  jobs,
  people,
  person: personPage,
  audit,
  settings
}

const told = (title: string, text: string, status: number): Page => ({
  title,
  status,
  main: html`<h1>${title}</h1><p>${text}</p>`
})

const notAllowed = told("You may not do this", "Whoever looks after this app says who may.", 403)
const notFound = told("No such page", "The console has no such page.", 404)

/** Rejects with a `ConsoleNotAuthorized` where nobody has said who may see it; whatever else fails is a page. */
export const consoleHandler = async (
  { csrfKey, logFailure, run }: ConsoleHost,
  request: Request,
  options: ConsoleOptions
): Promise<Response> => {
  let viewer: ConsoleViewer | null = null
  try {
    viewer = await viewerOf(request, "read", options)
    if (viewer === null) return respond(notAllowed, null)
    const visit: Visit = {
      viewer,
      run,
      query: new URL(request.url).searchParams,
      token: csrfToken(csrfKey, viewer.who, Date.now())
    }
    switch (request.method) {
      case "GET":
        if (visit.query.get("page") === "live.js") return scriptResponse()
        return respond(await pageOf(visit, request, options), viewer)
      case "HEAD": {
        const { headers, status } = respond(await pageOf(visit, request, options), viewer)
        return new Response(null, { headers, status })
      }
      case "POST":
        return await posted(visit, request, options, csrfKey)
      default:
        return methodNotAllowed()
    }
  } catch (error) {
    if (error instanceof ConsoleNotAuthorized) throw error
    logFailure("A page of billing's console failed; it was answered 500.", error)
    return respond(told("That did not work", "The log says why. Try again in a moment.", 500), viewer)
  }
}

const pageOf = async (visit: Visit, request: Request, options: ConsoleOptions): Promise<Page> => {
  const name = visit.query.get("page") ?? "overview"
  if (name === "confirm") {
    const action = visit.query.get("do") ?? ""
    const deed = deedNamed(action)
    if (deed === undefined) return notFound
    const viewer = await viewerOf(request, action as ConsoleAction, options)
    return viewer === null ? notAllowed : confirmPage(visit, action, deed, givenIn(deed, visit.query))
  }
  const page = Object.hasOwn(pages, name) ? pages[name] : undefined
  return page === undefined ? notFound : page(visit)
}

const posted = async (
  visit: Visit,
  request: Request,
  options: ConsoleOptions,
  csrfKey: Redacted.Redacted<Buffer>
): Promise<Response> => {
  const { query, run, viewer } = visit
  const form = await readForm(request)
  if (form === undefined) return respond(told("That was no form", "Go back, and try again.", 400), viewer)
  if (isFromElsewhere(request) || !isCsrfToken(csrfKey, viewer.who, form.get("token") ?? "", Date.now())) {
    return respond(
      told(
        "Nothing was done",
        "The form was not one of the console's, or it was older than an hour. Open it again.",
        403
      ),
      viewer
    )
  }
  switch (query.get("page")) {
    case "people": {
      const found = await search(visit, form.get("query") ?? "")
      return "location" in found ? seeOther(found.location) : respond(found, viewer)
    }
    case "act": {
      const name = form.get("do") ?? ""
      const deed = deedNamed(name)
      if (deed === undefined) return respond(notFound, viewer)
      const actor = await viewerOf(request, name as ConsoleAction, options)
      // Who asked for the page is who does it.
      if (actor === null || actor.who !== viewer.who) return respond(notAllowed, viewer)
      const given = givenIn(deed, form)
      const { id } = await run((billing) =>
        billing.operations.audited(
          { who: actor.who, action: name, subject: deed.subject(given).slice(0, 255), detail: JSON.stringify(given) },
          deed.work(billing, given, actor.who)
        )
      )
      return seeOther(`?page=audit&done=${encodeURIComponent(id)}`)
    }
    default:
      return respond(notFound, viewer)
  }
}

/** The fields of the action, and no others. */
const givenIn = ({ fields }: Deed, from: URLSearchParams): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.keys(fields).map((name) => [name, (from.get(name) ?? "").trim().slice(0, 255)]))
