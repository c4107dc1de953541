/** A request to a Node server, as a web request. */
import type { IncomingMessage } from "node:http"
import type { TLSSocket } from "node:tls"
import { anyBodyOf } from "./bodyStream.ts"

/** `undefined` for what no web request can be: a host header, a method or a header that is none. */
export const requestOf = (incoming: IncomingMessage, scheme: "http" | "https" = "http"): Request | undefined =>
  webRequest(incoming, scheme, () => anyBodyOf(incoming))

/** The same without the body, which is left to whoever comes after. */
export const headOf = (incoming: IncomingMessage, scheme: "http" | "https" = "http"): Request | undefined =>
  webRequest(incoming, scheme, undefined)

const webRequest = (
  incoming: IncomingMessage,
  scheme: "http" | "https",
  bodyOf: (() => ReturnType<typeof anyBodyOf>) | undefined
): Request | undefined => {
  const method = incoming.method ?? "GET"
  const body = method === "GET" || method === "HEAD" ? undefined : bodyOf?.()
  try {
    const headers = new Headers()
    for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
      const name = incoming.rawHeaders[index] ?? ""
      // HTTP/2 has its method and path among them.
      if (!name.startsWith(":")) headers.append(name, incoming.rawHeaders[index + 1] ?? "")
    }
    return new Request(urlOf(incoming, scheme), {
      method,
      headers,
      ...(body === undefined ? {} : { body: body as RequestInit["body"] & object, duplex: "half" as const })
    })
  } catch {
    return undefined
  }
}

/** By which scheme it came: to this server, or to a proxy before it that says so. */
export const schemeOf = ({ headers, socket }: IncomingMessage): "http" | "https" =>
  (socket as Partial<TLSSocket>).encrypted === true || /^https\s*(?:,|$)/i.test(String(headers["x-forwarded-proto"]))
    ? "https"
    : "http"

const urlOf = (incoming: IncomingMessage, scheme: string): URL => {
  const host = incoming.headers.host ?? incoming.headers[":authority"] ?? "localhost"
  const base = new URL(`${scheme}://${host}`)
  // The header names a host and nothing more: the rest of a URL in it would move the path.
  if (base.href !== `${base.origin}/`) throw new TypeError("The host header is no host")
  const target = targetOf(incoming)
  // A path of two slashes is a path, and not a host as in a link.
  return new URL(target.startsWith("/") ? `${base.origin}${target}` : target, base)
}

/** Express takes the path of a mount out of `url`. */
const targetOf = (incoming: IncomingMessage & { readonly originalUrl?: unknown }): string =>
  typeof incoming.originalUrl === "string" ? incoming.originalUrl : (incoming.url ?? "/")

export const badRequest = (): Response => Response.json({ error: "Bad request" }, { status: 400 })

export const internalError = (): Response => Response.json({ error: "Internal error" }, { status: 500 })
