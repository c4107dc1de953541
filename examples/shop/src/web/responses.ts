/** What the shop answers with. */
import type { Html } from "./html.ts"

export interface PageOptions {
  readonly status?: number | undefined
  /** Other origins that forms of this page may lead to. */
  readonly formTargets?: ReadonlyArray<string> | undefined
}

/** No script of anybody else, none inline, no frame, and forms only to where the page says. */
const policy = (formTargets: ReadonlyArray<string>): string =>
  [
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    ["form-action 'self'", ...formTargets].join(" "),
    "base-uri 'none'",
    "frame-ancestors 'none'"
  ].join("; ")

export const page = (document: Html, { formTargets = [], status = 200 }: PageOptions): Response =>
  new Response(String(document), {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": policy(formTargets),
      // Not "no-referrer": with it browsers would post without an origin.
      "referrer-policy": "same-origin",
      "x-content-type-options": "nosniff"
    }
  })

/** After a form was posted: another page, so that going back or loading again does nothing twice. */
export const seeOther = (location: string, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(null, { status: 303, headers: { location, "cache-control": "no-store", ...headers } })

/** A file of the shop's own. */
export const asset = (text: string, type: string): Response =>
  new Response(text, { headers: { "content-type": type, "cache-control": "public, max-age=600" } })
