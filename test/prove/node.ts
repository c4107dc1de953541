/** A node of an app: `polar()` on a store of the proof's, and requests as Polar sends them. */
import { randomBytes } from "node:crypto"
import { BillingStore, type BillingStoreService } from "@kavach-polar/core/BillingStore"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { type KeyScheme, signedHeaders } from "@kavach-polar/core/WebhookVerifier"
import { type Polar, type PolarConfig, polar } from "@kavach-polar/http"
import * as Layer from "effect/Layer"

/** Of this run alone. */
export const webhookSecret = `whsec_${randomBytes(32).toString("base64")}`

export const startNode = (
  store: BillingStoreService,
  onSubscriptionChange?: PolarConfig["onSubscriptionChange"]
): Polar =>
  polar({
    // Some of its users have a row and some have none.
    externalIds: "trust",
    webhookSecret,
    client: PolarClient.layerDisabled("A proof does not talk to Polar."),
    store: Layer.succeed(BillingStore, store),
    logLevel: "none",
    ...(onSubscriptionChange === undefined ? {} : { onSubscriptionChange })
  })

export const webhookUrl = "http://127.0.0.1/auth/polar/webhook"

export const headersFor = (
  id: string,
  body: Uint8Array | string,
  timestampSeconds = Math.floor(Date.now() / 1000),
  key: KeyScheme = "utf8"
) => ({
  "content-type": "application/json",
  ...signedHeaders({ secret: webhookSecret, id, timestampSeconds, body, key })
})

export const signedRequest = (id: string, body: Uint8Array | string): Request =>
  new Request(webhookUrl, { method: "POST", headers: headersFor(id, body), body })
