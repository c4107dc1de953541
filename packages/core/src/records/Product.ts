/**
 * Products: what the merchant sells. They belong to no user.
 *
 * Sources: Polar's API reference, object `Product`; Polar docs: features/products, webhooks/events.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { ProductId, text } from "../values/ids.ts"
import { DateFromTimestamp, EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { anyRecord, informative } from "../values/wire.ts"
import { type ListedKind, packPrecedence } from "./Kind.ts"

/** What is read of Polar's product, and, encoded, what is stored of it. */
export const PolarProduct = Schema.Struct({
  id: ProductId,
  name: informative("name", Schema.String),
  description: informative("description", Schema.String),
  visibility: informative("visibility", Schema.String),
  isRecurring: informative("is_recurring", Schema.Boolean),
  recurringInterval: informative("recurring_interval", Schema.String),
  recurringIntervalCount: informative("recurring_interval_count", Schema.Number),
  isArchived: informative("is_archived", Schema.Boolean),
  createdAt: informative("created_at", DateFromTimestamp),
  metadata: anyRecord("metadata")
})

/** A product as the app sees it. */
export interface Product extends Schema.Schema.Type<typeof PolarProduct> {}

const Context = Schema.Struct({
  created_at: informative("created_at", EpochMicrosFromString),
  modified_at: informative("modified_at", EpochMicrosFromString),
  organization_id: informative("organization_id", text(64))
})

const decodeProduct = decoderOf(PolarProduct)
const decodeContext = decoderOf(Context)
const encodeStored = Schema.encodeSync(Schema.parseJson(PolarProduct))

export const productKind: ListedKind<Product> = {
  name: "product",
  isOwned: false,
  eventTypes: ["product.created", "product.updated"],
  read: (data) =>
    Either.zipWith(decodeProduct(data), decodeContext(data), (product, context) => {
      const changedAt = context.modified_at ?? context.created_at
      const isArchived = product.isArchived ?? false
      return {
        kind: "product",
        id: product.id,
        customer: { id: null, externalId: null, email: null },
        metadataUserId: null,
        isRecorded: false,
        organizationId: context.organization_id,
        productId: null,
        subscriptionId: null,
        orderId: null,
        benefitId: null,
        checkoutId: null,
        status: isArchived ? "archived" : "active",
        live: !isArchived,
        endsAt: null,
        precedence: packPrecedence(false, changedAt === null ? null : toMillis(changedAt), isArchived ? 1 : 0),
        changedAt,
        summary: JSON.stringify({ is_recurring: product.isRecurring }),
        data: encodeStored(product)
      }
    }),
  fromStored: jsonDecoderOf(PolarProduct),
  personal: [],
  list: { path: "/v1/products/", sorting: "created_at", byMetadata: false },
  view: [
    { name: "name", key: "name", type: "text" },
    { name: "visibility", key: "visibility", type: "text" },
    { name: "is_recurring", key: "is_recurring", type: "flag" },
    { name: "recurring_interval", key: "recurring_interval", type: "text" },
    { name: "created_at", key: "created_at", type: "time" }
  ]
}
