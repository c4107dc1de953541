/** All that is stored of a person, as JSON that they can be given. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { PolarClient } from "../polar/PolarClient.ts"
import { licenseKeyKind } from "../records/LicenseKey.ts"
import type { RecordRow } from "../records/rows.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import type { UserId } from "../values/ids.ts"
import { customersOfUser } from "./eraseUser.ts"

/** Plain JSON: times are ISO 8601 in UTC, amounts minor units (cents). docs/privacy.md describes each part. */
export interface PersonalData {
  readonly format: "kavach-polar/personal-data/1"
  readonly exportedAt: string
  readonly userId: string
  /** Whose customer the user is at Polar. */
  readonly customers: ReadonlyArray<{
    readonly customerId: string
    readonly linkedBy: string
    readonly linkedAt: string
    readonly deletedAt: string | null
    /** Somebody else has something of this customer, too; what is theirs is not here. */
    readonly isShared: boolean
  }>
  /** Subscriptions, orders, benefits and so on, each as it is known by now. `data` is what is kept of Polar's object. */
  readonly records: ReadonlyArray<{
    readonly kind: string
    readonly id: string
    readonly status: string
    readonly customerId: string | null
    readonly productId: string | null
    readonly updatedAt: string
    readonly data: unknown
    /** Of a license key the key itself, where it can be opened. */
    readonly licenseKey?: string
  }>
  /** Checkouts that this app made for the user. */
  readonly checkouts: ReadonlyArray<{ readonly id: string; readonly productId: string; readonly createdAt: string }>
  /** What Polar sent. `body` is `null` once it was deleted, which is after 90 days unless configured, and while it is encrypted. */
  readonly deliveries: ReadonlyArray<{
    readonly id: string
    readonly type: string
    readonly receivedAt: string
    readonly body: unknown
    /** There is a body, which could not be decrypted here: export it where `bodies.decrypt` is configured. */
    readonly isEncrypted: boolean
  }>
  /** What the app was told of the user. */
  readonly notifications: ReadonlyArray<{
    readonly id: string
    readonly handler: string
    readonly state: string
    readonly createdAt: string
    readonly payload: unknown
  }>
  /** What operators changed of whose customer the user is. */
  readonly linkChanges: ReadonlyArray<{
    readonly action: string
    readonly customerId: string | null
    readonly record: string | null
    readonly at: string
  }>
}

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
}

export const makeExportUser =
  ({ client, store }: Ports) =>
  (userId: UserId): Effect.Effect<PersonalData, StoreError> =>
    Effect.gen(function* () {
      const { own, shared } = yield* customersOfUser(store, userId)
      const { changes, links } = yield* store.ownershipOf(userId)
      const { checkouts, deliveries, notifications, records } = yield* store.personalData(userId, own)
      return {
        format: "kavach-polar/personal-data/1",
        exportedAt: iso(yield* Clock.currentTimeMillis),
        userId,
        customers: links.map(({ customerId, deletedAt, linkedAt, linkedBy }) => ({
          customerId,
          linkedBy,
          linkedAt: iso(linkedAt),
          deletedAt: deletedAt === null ? null : iso(deletedAt),
          isShared: shared.some((id) => id === customerId)
        })),
        records: records.map((row) => ({
          kind: row.kind,
          id: row.id,
          status: row.status,
          customerId: row.customerId,
          productId: row.productId,
          updatedAt: iso(row.updatedAt),
          ...contentOf(client, row)
        })),
        checkouts: checkouts.map(({ createdAt, id, productId }) => ({ id, productId, createdAt: iso(createdAt) })),
        deliveries: deliveries.map(({ body, id, isEncrypted, receivedAt, type }) => ({
          id,
          type,
          receivedAt: iso(receivedAt),
          body: body === null ? null : parsed(body),
          isEncrypted
        })),
        notifications: notifications.map(({ createdAt, handler, id, payload, state }) => ({
          id,
          handler,
          state,
          createdAt: iso(createdAt),
          payload: parsed(payload)
        })),
        linkChanges: changes.map(({ action, changedAt, customerId, recordKey }) => ({
          action,
          customerId,
          record: recordKey,
          at: iso(changedAt)
        }))
      } satisfies PersonalData
    })

/** What is sealed is no use to anybody; what was sealed is theirs. */
const contentOf = (client: typeof PolarClient.Service, { data, id, kind }: RecordRow) => {
  const content = parsed(data)
  if (kind !== licenseKeyKind.name || typeof content !== "object" || content === null) return { data: content }
  const { sealed_key: sealed, ...rest } = content as Readonly<Record<string, unknown>>
  const key = typeof sealed === "string" ? client.secretBox.open(id, sealed) : Option.none()
  return Option.isNone(key) ? { data: rest } : { data: rest, licenseKey: Redacted.value(key.value) }
}

/** Text, where it is no JSON. */
const parsed = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return json
  }
}

const iso = (millis: number): string => new Date(millis).toISOString()
