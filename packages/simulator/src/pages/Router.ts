/** Which handler a request for a page is for. */

export interface Route<Handler> {
  readonly method: "GET" | "POST"
  /** Segments in braces are parameters: `/checkout/{secret}`. */
  readonly path: string
  readonly handler: Handler
}

export type Params = Readonly<Record<string, string>>

export type Found<Handler> =
  | { readonly _tag: "Found"; readonly handler: Handler; readonly params: Params }
  | { readonly _tag: "WrongMethod"; readonly allow: string }
  | { readonly _tag: "Unknown" }

/** The route of a request; HEAD is GET. */
export const find = <Handler>(
  routes: ReadonlyArray<Route<Handler>>,
  method: string,
  pathname: string
): Found<Handler> => {
  const segments = pathname.split("/")
  const matches = routes.flatMap((route) => {
    const params = paramsOf(route.path.split("/"), segments)
    return params === undefined ? [] : [{ route, params }]
  })
  if (matches.length === 0) return { _tag: "Unknown" }
  const wanted = method === "HEAD" ? "GET" : method
  const match = matches.find(({ route }) => route.method === wanted)
  return match === undefined
    ? { _tag: "WrongMethod", allow: matches.map(({ route }) => route.method).join(", ") }
    : { _tag: "Found", handler: match.route.handler, params: match.params }
}

const paramsOf = (pattern: ReadonlyArray<string>, segments: ReadonlyArray<string>): Params | undefined => {
  if (pattern.length !== segments.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? ""
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    if (name === undefined) {
      if (part !== segment) return undefined
    } else {
      const value = decoded(segment)
      if (value === undefined || value === "") return undefined
      params[name] = value
    }
  }
  return params
}

const decoded = (segment: string): string | undefined => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
