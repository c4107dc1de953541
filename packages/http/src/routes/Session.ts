/** Who is signed in: the port to the host's sessions. */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** The signed-in user, from the host's own records. */
export interface SessionUser {
  readonly id: string
  readonly email?: string | null | undefined
  readonly name?: string | null | undefined
}

/** Nobody can say who is signed in: the host's session store failed. */
export class SessionUnavailable extends Schema.TaggedError<SessionUnavailable>()("SessionUnavailable", {
  cause: Schema.Defect
}) {
  override get message(): string {
    return "The host could not say who is signed in."
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

/** Sessions as an Effect stack has them. */
export const layer = (
  user: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<Option.Option<SessionUser>, SessionUnavailable>
): Layer.Layer<Session> => Layer.succeed(Session, { user })

/** What the host that passes a request on knows of it; only for the time of that request. */
export class HostRequest extends Context.Tag("@kavach-polar/http/HostRequest")<
  HostRequest,
  { readonly getUser: () => Promise<SessionUser | null | undefined> }
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
