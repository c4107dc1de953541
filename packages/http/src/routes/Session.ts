/** Who is signed in: the port to the host's sessions. */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** The signed-in user, from the host's own records. */
export interface SessionUser {
  /** A text of 1 to 255 characters without space around it. A host that gives a whole number is understood: as its text. */
  readonly id: string
  readonly email?: string | null | undefined
  readonly name?: string | null | undefined
  /** Whether the address is known to be theirs. Default: what `kavach_users` says. */
  readonly emailVerified?: boolean | null | undefined
}

/** Nobody can say who is signed in: the host's session store failed. */
export class SessionUnavailable extends Schema.TaggedError<SessionUnavailable>()("SessionUnavailable", {
  cause: Schema.Defect
}) {
  override get message(): string {
    return "The host could not say who is signed in."
  }
}

/** Somebody is signed in, whose id cannot name a customer at Polar. */
export class UnusableUserId extends Schema.TaggedError<UnusableUserId>()("UnusableUserId", {}) {
  override get message(): string {
    return "The session's user has no usable id: it must be a text of 1 to 255 characters without space around it, or a whole number"
  }
}

export class Session extends Context.Tag("@kavach-polar/http/Session")<
  Session,
  {
    readonly user: (
      request: HttpServerRequest.HttpServerRequest
    ) => Effect.Effect<Option.Option<SessionUser>, SessionUnavailable>
  }
>() {}

/**
 * Sessions as an Effect stack has them, with requirements and errors of its own: the layer requires what it requires, and
 * whatever it fails with is a `SessionUnavailable`, which has it as its cause.
 *
 * @example
 * import * as Session from "@kavach-polar/http/Session"
 * import { Context, Effect, Option } from "effect"
 *
 * class Users extends Context.Tag("Users")<
 *   Users,
 *   { readonly of: (cookie: string) => Effect.Effect<Option.Option<{ readonly id: string }>, Error> }
 * >() {}
 *
 * export const SessionLive = Session.layer((request) =>
 *   Effect.flatMap(Users, (users) => users.of(request.headers["cookie"] ?? ""))
 * )
 */
export const layer = <E, R>(
  user: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<Option.Option<SessionUser>, E, R>
): Layer.Layer<Session, never, R> =>
  Layer.effect(
    Session,
    Effect.map(Effect.context<R>(), (context) => ({
      user: (request) =>
        user(request).pipe(
          Effect.mapError((error) =>
            error instanceof SessionUnavailable ? error : new SessionUnavailable({ cause: error })
          ),
          Effect.provide(context)
        )
    }))
  )

/** As hosts have it that stop a process after its answer: it goes on until the promise is done. */
export type WaitUntil = (promise: Promise<unknown>) => void

/** What the host that passes a request on knows of it; only for the time of that request. */
export class HostRequest extends Context.Tag("@kavach-polar/http/HostRequest")<
  HostRequest,
  {
    readonly getUser: () => Promise<SessionUser | null | undefined>
    /** The host's own origin, where it says one. */
    readonly origin?: string | undefined
    /** Keeps the process until the promise is done, on hosts that stop it after the answer. */
    readonly waitUntil?: WaitUntil | undefined
  }
>() {}

/** Asks the host that passed the request on. Nobody is signed in where there is no such host. */
export const layerHost: Layer.Layer<Session> = layer(() =>
  Effect.flatMap(Effect.serviceOption(HostRequest), (host) =>
    Option.match(host, {
      onNone: () => Effect.succeedNone,
      onSome: ({ getUser }) =>
        Effect.map(
          Effect.tryPromise({ try: async () => getUser(), catch: (cause) => new SessionUnavailable({ cause }) }),
          Option.fromNullable
        )
    })
  )
)
