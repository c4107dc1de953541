/** What Polar may send: a delivery, to a web server or to Node's own. Its signature is all the authentication there is. */
import type { IncomingMessage } from "node:http"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { BillingService } from "@kavach-polar/core/Billing"
import * as Effect from "effect/Effect"
import { readIncoming } from "../node/incomingBody.ts"
import { type BodyTooLarge, type BodyUnreadable, readBody } from "../node/requestBody.ts"
import type { RouteError } from "./errorResponse.ts"

type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse, RouteError>

export interface WebhookRequests {
  readonly webhook: (request: HttpServerRequest.HttpServerRequest) => Answer
  readonly nodeWebhook: (incoming: IncomingMessage) => Answer
}

const received = HttpServerResponse.unsafeJson({ received: true })

export const makeWebhookRequests = (billing: BillingService, bodyLimit: number): WebhookRequests => {
  const receive = (
    headers: Readonly<Record<string, string | undefined>>,
    body: Effect.Effect<Uint8Array, BodyTooLarge | BodyUnreadable>
  ) =>
    Effect.as(
      Effect.flatMap(body, (bytes) => billing.receiveWebhook(headers, bytes)),
      received
    )

  return {
    webhook: (request) => receive(request.headers, readBody(request, bodyLimit)),
    nodeWebhook: (incoming) => receive(deliveryHeaders(incoming), readIncoming(incoming, bodyLimit))
  }
}

const deliveryHeaders = ({ headers }: IncomingMessage): Readonly<Record<string, string | undefined>> => ({
  "webhook-id": headers["webhook-id"]?.toString(),
  "webhook-timestamp": headers["webhook-timestamp"]?.toString(),
  "webhook-signature": headers["webhook-signature"]?.toString()
})
