/**
 * Listening to an organization's events, as they happen, without an endpoint: server-sent events of Polar's, of all types. What
 * happens while nobody listens is not told later (Polar: `/v1/cli/listen/{organization_id}`, which its own command line uses).
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { PolarForbidden, PolarNotFound, PolarUnauthorized, PolarUnavailable } from "./PolarError.ts"
import { apiAddress, type Options } from "./polarHttp.ts"

export interface ListenedEvent {
  /** A `webhook-id`, which deliveries to endpoints have not. */
  readonly id: string
  /** The body, as an endpoint would get it. */
  readonly body: string
}

export type Listened = { readonly _tag: "Connected" } | ({ readonly _tag: "Event" } & ListenedEvent)

type Where = Pick<Options, "accessToken" | "apiBaseUrl" | "sandbox">

const operation = "listen to events"

const Message = Schema.Union(
  Schema.Struct({ key: Schema.Literal("connected") }),
  Schema.Struct({
    key: Schema.Literal("webhook.created"),
    // A text since 2026-07; before that the object itself.
    payload: Schema.Struct({ webhook_event_id: Schema.String, payload: Schema.Unknown })
  })
)
const decodeMessage = Schema.decodeUnknownEither(Schema.parseJson(Message))

/** One connection: ends, or fails, when Polar ends it. Needs the scope `webhooks:read`. */
export const listen = (
  options: Where,
  organizationId: string
): Stream.Stream<Listened, PolarForbidden | PolarNotFound | PolarUnauthorized | PolarUnavailable> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const response = yield* Effect.tryPromise({
        try: (signal) =>
          fetch(`${apiAddress(options)}/v1/cli/listen/${encodeURIComponent(organizationId)}`, {
            headers: {
              accept: "text/event-stream",
              authorization: `Bearer ${Redacted.value(options.accessToken)}`,
              "user-agent": "kavach-polar"
            },
            signal
          }),
        catch: () => unavailable(null, "nobody answers")
      })
      const { body, status } = response
      if (status === 401) {
        return yield* new PolarUnauthorized({
          operation,
          environment: apiAddress(options),
          code: null,
          otherEnvironment: false
        })
      }
      if (status === 403) {
        return yield* new PolarForbidden({ operation, code: "insufficient_scope", requiredScopes: ["webhooks:read"] })
      }
      if (status === 404 || status === 422) return yield* new PolarNotFound({ operation, code: "ResourceNotFound" })
      if (!response.ok || body === null) return yield* unavailable(status, `the answer was ${status}`)
      return Stream.fromReadableStream({
        evaluate: () => body,
        onError: () => unavailable(status, "the connection was cut off")
      }).pipe(
        Stream.decodeText("utf-8"),
        Stream.splitLines,
        Stream.filter((line) => line.startsWith("data:")),
        Stream.map((line) => decodeMessage(line.slice("data:".length))),
        // What is neither is nothing that an endpoint would get.
        Stream.filterMap(Either.getRight),
        Stream.map(
          (message): Listened =>
            message.key === "connected"
              ? { _tag: "Connected" }
              : {
                  _tag: "Event",
                  id: message.payload.webhook_event_id,
                  body:
                    typeof message.payload.payload === "string"
                      ? message.payload.payload
                      : JSON.stringify(message.payload.payload)
                }
        )
      )
    })
  )

const unavailable = (status: number | null, reason: string) =>
  new PolarUnavailable({ operation, status, reason, retryAfterSeconds: null, mayHaveActed: false })
