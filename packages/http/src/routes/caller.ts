/** Who asks, from which page, and what they may be answered with: what all of a browser's routes have in common. */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { UserId } from "@kavach-polar/core/Subscription"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { readAnyBody } from "../node/requestBody.ts"
import { checkContentType, checkPage, originsOf } from "./callingPage.ts"
import { InvalidRequest, NotSignedIn } from "./errorResponse.ts"
import { belowOrigin, checkRedirectUrl, InvalidRedirectUrl } from "./redirectUrl.ts"
import { HostRequest, type Session, type SessionUser, UnusableUserId } from "./Session.ts"
import { isUserId, userIdOf } from "./userId.ts"

/** Whoever is signed in, with an id that can name a customer. */
export interface SignedIn extends Omit<SessionUser, "id"> {
  readonly id: UserId
}

export interface CallerOptions {
  readonly session: Context.Tag.Service<typeof Session>
  readonly trustedOrigins: ReadonlyArray<string> | undefined
}

export const makeCaller = ({ session, trustedOrigins }: CallerOptions) => {
  const signedIn = (request: HttpServerRequest.HttpServerRequest) =>
    Effect.gen(function* () {
      const user = Option.filter(yield* session.user(request), hasId)
      if (Option.isNone(user)) return yield* new NotSignedIn()
      const { email, emailVerified, name } = user.value
      const id = userIdOf(user.value.id)
      return isUserId(id) ? ({ id, email, emailVerified, name } satisfies SignedIn) : yield* new UnusableUserId()
    })

  const hostOrigin = Effect.map(Effect.serviceOption(HostRequest), (host) => Option.getOrUndefined(host)?.origin)

  const ownOrigins = (request: HttpServerRequest.HttpServerRequest) =>
    Effect.map(hostOrigin, (host) => originsOf(request, { host }))

  /** Refuses what another site made up. Succeeds with the app's own origins. */
  const ownPage = (request: HttpServerRequest.HttpServerRequest) =>
    Effect.gen(function* () {
      const host = yield* hostOrigin
      yield* checkPage(request, { host, trusted: trustedOrigins })
      yield* checkContentType(request)
      return originsOf(request, { host })
    })

  /** Where somebody may be sent back to: the app's own pages, or trusted ones. */
  const ownUrl = (field: string, text: string, own: ReadonlyArray<string>) => {
    const trusted = trustedOrigins ?? own
    const base = own.find((origin) => trusted.includes(origin)) ?? trusted[0]
    const url = belowOrigin(text, base)
    if (trustedOrigins === undefined && isForeign(url, own)) {
      return Either.left(new InvalidRedirectUrl({ field, problem: notOwn }))
    }
    return checkRedirectUrl(field, url, trusted)
  }

  return { signedIn, ownOrigins, ownPage, ownUrl }
}

/** What is one user's, and no cache's. */
export const ownData = (body: object): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(body, { headers: { "cache-control": "no-store" } })

/** A small body of JSON that is an object. One that is empty is an empty object, where that is said. */
export const readJson = (
  request: HttpServerRequest.HttpServerRequest,
  { mayBeEmpty = false }: { readonly mayBeEmpty?: boolean } = {}
) =>
  Effect.gen(function* () {
    const bytes = yield* readAnyBody(request, { limit: bodyLimit })
    if (bytes.length === 0 && mayBeEmpty) return {}
    const body = yield* Effect.try({
      try: (): unknown => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)),
      catch: () => new InvalidRequest({ problem: "Invalid JSON body" })
    })
    return typeof body !== "object" || body === null || Array.isArray(body)
      ? yield* new InvalidRequest({ problem: "Invalid JSON body" })
      : body
  })

const bodyLimit = 16 * 1024

const notOwn = "its origin is not this app's own; if buyers may be sent there, name it in trustedOrigins"

/** A good address, of somebody else. */
const isForeign = (url: string, own: ReadonlyArray<string>): boolean =>
  Either.isRight(checkRedirectUrl("", url, undefined)) && Either.isLeft(checkRedirectUrl("", url, own))

/** Whether it names a user at all. What hosts give is not always what their types say. */
const hasId = (user: SessionUser): boolean =>
  typeof user === "object" && user.id !== undefined && user.id !== null && (user.id as unknown) !== ""
