/**
 * What Polar may send: a delivery, to a web server or to Node's own. Its signature is all the authentication there is, so
 * until it is known nothing is spent on the sender but what is bounded: headers before the body, the body by its size and
 * time, and what is refused by `strangers.ts`.
 */
import type { IncomingMessage } from "node:http"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { BillingService } from "@kavach-polar/core/Billing"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type BodyError, BodyTooLarge, BodyUnreadable, lengthIn } from "../node/collectBody.ts"
import { keptBody, readIncoming } from "../node/incomingBody.ts"
import { readBody, refuseBody } from "../node/requestBody.ts"
import { ranOff } from "../node/runOff.ts"
import type { RouteError } from "./errorResponse.ts"
import { HostRequest } from "./Session.ts"
import type { Strangers } from "./strangers.ts"

type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse, RouteError>

export interface WebhookRequests {
  readonly webhook: (request: HttpServerRequest.HttpServerRequest) => Answer
  readonly nodeWebhook: (incoming: IncomingMessage) => Answer
}

export interface WebhookRequestOptions {
  readonly billing: BillingService
  readonly strangers: Strangers
  /** Of a body, in bytes. */
  readonly limit: number
}

/** Where a delivery comes from. */
interface Source {
  readonly headers: Readonly<Record<string, string | undefined>>
  /** What its `content-length` says. */
  readonly announced: number | undefined
  readonly body: Effect.Effect<Uint8Array, BodyError>
  /** Says that the body is not wanted; succeeds with whether anything of it may yet come. */
  readonly refuse: Effect.Effect<boolean>
}

const received = HttpServerResponse.unsafeJson({ received: true })

export const makeWebhookRequests = ({ billing, limit, strangers }: WebhookRequestOptions): WebhookRequests => {
  const receive = ({ announced, body, headers, refuse }: Source): Answer => {
    const turnedAway = Effect.flatMap(refuse, (comes) => (comes ? strangers.charge : strangers.wait(0)))
    const likely: Effect.Effect<void, RouteError> =
      announced !== undefined && announced > limit
        ? Effect.fail(new BodyTooLarge({ limit }))
        : billing.checkWebhookHeaders(headers)
    return Effect.zipRight(likely, body).pipe(
      Effect.tapError(() => turnedAway),
      Effect.flatMap((bytes) => verified(headers, bytes)),
      Effect.as(received)
    )
  }

  const verified = (headers: Source["headers"], bytes: Uint8Array) => {
    // Not the bytes themselves, which need not wait with the answer.
    const size = bytes.length
    return Effect.serviceOption(HostRequest).pipe(
      Effect.flatMap((host) =>
        billing.receiveWebhook(headers, bytes, { afterAnswer: Option.getOrUndefined(Option.map(host, afterAnswer)) })
      ),
      Effect.tapErrorTag("SignatureMismatch", () => strangers.wait(size))
    )
  }

  return {
    webhook: (request) =>
      receive({
        headers: request.headers,
        announced: lengthIn(request.headers["content-length"]),
        body: readBody(request, { limit }),
        refuse: refuseBody(request)
      }),
    nodeWebhook: (incoming) =>
      receive({
        headers: deliveryHeaders(incoming),
        announced: lengthIn(incoming.headers["content-length"]),
        body: Effect.suspend(() => bodyOf(incoming, limit)),
        refuse: Effect.promise(async () => !(await ranOff(incoming)))
      })
  }
}

const bodyOf = (incoming: IncomingMessage, limit: number): Effect.Effect<Uint8Array, BodyError> => {
  const kept = keptBody(incoming)
  if (kept === undefined) return readIncoming(incoming, { limit })
  if (kept instanceof BodyUnreadable) return Effect.fail(kept)
  return kept.length > limit ? Effect.fail(new BodyTooLarge({ limit })) : Effect.succeed(kept)
}

/** Hands to the host what goes on after the answer. */
const afterAnswer = ({ waitUntil }: Context.Tag.Service<typeof HostRequest>) =>
  waitUntil === undefined
    ? undefined
    : (told: Effect.Effect<void>): Effect.Effect<void> =>
        Effect.flatMap(Effect.forkDaemon(Effect.interruptible(told)), (fiber) =>
          Effect.try(() => waitUntil(new Promise<void>((resolve) => fiber.addObserver(() => resolve())))).pipe(
            Effect.catchAll((error) =>
              Effect.logWarning("The host's waitUntil threw; the app is told without it.", error.error)
            )
          )
        )

const deliveryHeaders = ({ headers }: IncomingMessage): Readonly<Record<string, string | undefined>> => ({
  "webhook-id": headers["webhook-id"]?.toString(),
  "webhook-timestamp": headers["webhook-timestamp"]?.toString(),
  "webhook-signature": headers["webhook-signature"]?.toString()
})
