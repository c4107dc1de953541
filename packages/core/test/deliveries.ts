/** Deliveries for tests: Polar's example bodies, varied. */
import { readFileSync } from "node:fs"
import type { Delivery } from "@kavach-polar/core/Delivery"
import type { Subscription } from "@kavach-polar/core/Subscription"
import { Option } from "effect"
import * as DeliveryContent from "../src/records/deliveryContent.ts"
import type { Kind } from "../src/records/Kind.ts"
import type { RecordReport } from "../src/records/RecordReport.ts"
import { subscriptionKind } from "../src/records/subscriptionKind.ts"

const fixtures = new URL("../../../test/fixtures/polar-webhooks/", import.meta.url)

export const fixture = (name: string): Uint8Array => readFileSync(new URL(`${name}.json`, fixtures))

export interface Variation {
  readonly type?: string
  readonly timestamp?: string
  readonly data?: Readonly<Record<string, unknown>>
}

/** An example body with some of its envelope and data replaced. */
export const vary = (name: string, { data, ...envelope }: Variation = {}): Uint8Array => {
  const body = JSON.parse(new TextDecoder().decode(fixture(name)))
  return new TextEncoder().encode(JSON.stringify({ ...body, ...envelope, data: { ...body.data, ...data } }))
}

/** A delivery of this body, as it would be after verification. */
export const deliveryOf = (id: string, body: Uint8Array, receivedAt = 0): Delivery => ({
  id,
  receivedAt,
  ...DeliveryContent.readBytes(body, undefined)
})

/** What a delivery says of the record that it carries. */
export const reportIn = ({ content }: Delivery): RecordReport => {
  if (content._tag !== "RecordEvent") throw new Error(`no record: ${JSON.stringify(content)}`)
  return content.report
}

/** The object of a kind that a report is of, as it is read back from the store. */
export const valueIn = <A>(kind: Kind<A>, { data }: Pick<RecordReport, "data">): A =>
  Option.getOrThrow(kind.fromStored(data))

/** The subscription that a delivery carries. */
export const subscriptionIn = (delivery: Delivery): Subscription => valueIn(subscriptionKind, reportIn(delivery))

/** `2026-10-05T14:22:08.` followed by these microseconds. */
export const at = (micros: number): string => `2026-10-05T14:22:08.${String(micros).padStart(6, "0")}Z`

/** A customer that carries no identity of the app's. */
export const anonymousCustomer = (id: string, externalId: string | null = null) => ({
  customer_id: id,
  customer: { id, external_id: externalId, email: "someone@acme-mail.dev", name: null, deleted_at: null }
})
