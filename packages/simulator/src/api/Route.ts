/** What a route is: which requests it takes, what the token must be for, and what it does in a step. */
import type * as Either from "effect/Either"
import type { Refusal } from "../Refusal.ts"
import type { Step } from "../Step.ts"

export type Method = "GET" | "POST" | "PATCH" | "DELETE"

export interface ApiRequest {
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** Parsed JSON; `undefined` when there is none. */
  readonly body: unknown
}

export interface Answer {
  readonly status: number
  /** `undefined` for an empty body. */
  readonly body: unknown
}

export interface Route {
  readonly method: Method
  /** Segments in braces are parameters: `/v1/customers/{id}`. A slash at the end counts. */
  readonly path: string
  /** Any one of these is enough; none are needed by the buyer's browser. */
  readonly scopes: ReadonlyArray<string>
  readonly handle: (step: Step, request: ApiRequest) => Either.Either<Answer, Refusal>
}

/** For a resource with a scope for reading and one for writing: writing may read, unless told otherwise. */
export const routesOf = (
  resource: string,
  read: ReadonlyArray<string> = [`${resource}:read`, `${resource}:write`],
  write: ReadonlyArray<string> = [`${resource}:write`]
) => {
  const route =
    (method: Method, scopes: ReadonlyArray<string>) =>
    (path: string, handle: Route["handle"]): Route => ({ method, path, scopes, handle })
  return {
    get: route("GET", read),
    post: route("POST", write),
    patch: route("PATCH", write),
    delete: route("DELETE", write)
  }
}

export const ok = (body: unknown): Answer => ({ status: 200, body })
export const created = (body: unknown): Answer => ({ status: 201, body })
/** What is begun, and done later. */
export const accepted = (body: unknown): Answer => ({ status: 202, body })
export const noContent: Answer = { status: 204, body: undefined }

export interface Match {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

/** The routes of exactly this path; one for each method. */
export const matching = (routes: ReadonlyArray<Route>, path: string): ReadonlyArray<Match> => {
  const segments = path.split("/")
  const matches = routes.flatMap((route) => {
    const params = paramsOf(route.path.split("/"), segments)
    return params === undefined ? [] : [{ route, params }]
  })
  // `/v1/customers/export` is not the customer with the id `export`: a literal segment comes first.
  const fewest = Math.min(...matches.map(({ params }) => Object.keys(params).length))
  return matches.filter(({ params }) => Object.keys(params).length === fewest)
}

const paramsOf = (
  pattern: ReadonlyArray<string>,
  segments: ReadonlyArray<string>
): Readonly<Record<string, string>> | undefined => {
  if (pattern.length !== segments.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? ""
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    if (name === undefined) {
      if (part !== segment) return undefined
    } else {
      if (segment === "") return undefined
      params[name] = segment
    }
  }
  return params
}
