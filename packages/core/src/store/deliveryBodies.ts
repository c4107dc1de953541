/** How the body of a delivery is kept in the database: as it is, encrypted by the app, or not at all. */
import type * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Delivery } from "../records/Delivery.ts"
import { StoreError } from "./StoreError.ts"

/** Which delivery a body is of: for a cipher that binds the two, so that no body opens as another's. */
export interface BodyOwner {
  /** Polar's `webhook-id`. */
  readonly deliveryId: string
}

/**
 * How the app encrypts bodies. Each function has three seconds. A delivery whose body cannot be encrypted is not stored: it is
 * answered with 503, and Polar sends it again.
 *
 * @example
 * BillingStore.encryptBodies({
 *   encrypt: (body, { deliveryId }) => Effect.sync(() => vault.seal(body, deliveryId)),
 *   decrypt: (encrypted, { deliveryId }) => Effect.try(() => vault.open(encrypted, deliveryId))
 * })
 */
export interface BodyCipher {
  /** JSON text, to the text that is stored. */
  readonly encrypt: (body: string, owner: BodyOwner) => Effect.Effect<string, unknown>
  /** What `encrypt` has made, also years ago and with an earlier key, to that JSON text. */
  readonly decrypt: (encrypted: string, owner: BodyOwner) => Effect.Effect<string, unknown>
}

/** What the store does with bodies on their way to the database and back. */
export interface DeliveryBodies {
  readonly seal: (body: string, owner: BodyOwner) => Effect.Effect<string | null, StoreError>
  /** Only of what `isSealed`. */
  readonly open: (stored: string, owner: BodyOwner) => Effect.Effect<string, StoreError>
}

// No JSON text begins so: what was stored before the app encrypted bodies is still read.
const mark = "encrypted:"

export const isSealed = (stored: string): boolean => stored.startsWith(mark)

const noKey = () =>
  new StoreError({
    operation: "decryptBody",
    reason: "denied",
    detail: "the body is encrypted, and this process was given no decrypt()"
  })

export const plainBodies: DeliveryBodies = {
  seal: (body) => Effect.succeed(body),
  open: () => Effect.fail(noKey())
}

export const noBodies: DeliveryBodies = { ...plainBodies, seal: () => Effect.succeed(null) }

// The app's function may ask a key service, and the delivery has to be stored within five seconds.
const cipherTime = Duration.seconds(3)

export const encryptedBodies = ({ decrypt, encrypt }: BodyCipher): DeliveryBodies => {
  const called = (
    operation: "encryptBody" | "decryptBody",
    call: () => Effect.Effect<string, unknown>,
    isText: (text: unknown) => boolean
  ) => {
    const failed = (detail: string) => new StoreError({ operation, reason: "unavailable", detail })
    const name = operation === "encryptBody" ? "bodies.encrypt()" : "bodies.decrypt()"
    return Effect.suspend(call).pipe(
      // Whatever it says may quote what it was given.
      Effect.catchAllCause(() => Effect.fail(failed(`${name} failed`))),
      Effect.timeoutFail({
        duration: cipherTime,
        onTimeout: () => failed(`${name} did not answer within three seconds`)
      }),
      Effect.filterOrFail(isText, () => failed(`${name} succeeded with what is no text, or none that can be stored`))
    )
  }
  return {
    seal: (body, owner) =>
      Effect.map(
        called("encryptBody", () => encrypt(body, owner), isStorable),
        (text) => mark + text
      ),
    open: (stored, owner) => called("decryptBody", () => decrypt(stored.slice(mark.length), owner), isAnyText)
  }
}

const isAnyText = (text: unknown): boolean => typeof text === "string"

/** PostgreSQL has no NUL in a text, and no database has halves of surrogate pairs. */
const isStorable = (text: unknown): boolean =>
  typeof text === "string" && text !== "" && !/[\0\p{Surrogate}]/u.test(text)

/** Polar has no more than sixteen deliveries under way at once. */
const concurrency = 16

/** The deliveries as they are stored. */
export const sealedDeliveries = (
  bodies: DeliveryBodies,
  deliveries: Arr.NonEmptyReadonlyArray<Delivery>
): Effect.Effect<Arr.NonEmptyReadonlyArray<Delivery>, StoreError> =>
  bodies === plainBodies
    ? Effect.succeed(deliveries)
    : Effect.forEach(
        deliveries,
        (delivery) =>
          delivery.body === null
            ? Effect.succeed(delivery)
            : Effect.map(bodies.seal(delivery.body, { deliveryId: delivery.id }), (body) => ({ ...delivery, body })),
        { concurrency }
      )

/** What is read of a stored body. */
export interface OpenedBody {
  /** `null` where nothing is kept, and where it could not be decrypted. */
  readonly body: string | null
  readonly isEncrypted: boolean
}

/** One that cannot be opened is not in the way of others, and is not passed over in silence. */
export const openedBodies = <Row extends { readonly id: string; readonly body: string | null }>(
  bodies: DeliveryBodies,
  rows: ReadonlyArray<Row>
): Effect.Effect<ReadonlyArray<Row & OpenedBody>> =>
  rows.some(({ body }) => body !== null && isSealed(body))
    ? Effect.forEach(rows, (row) => openedRow(bodies, row), { concurrency }).pipe(
        Effect.tap((opened) => {
          const failed = opened.filter(({ isEncrypted }) => isEncrypted)
          const [first] = failed
          return first === undefined
            ? Effect.void
            : Effect.logWarning(
                `The bodies of ${failed.length} deliveries cannot be decrypted: ${first.problem ?? ""}`
              ).pipe(Effect.annotateLogs({ delivery: first.id }))
        })
      )
    : Effect.succeed(rows.map((row) => ({ ...row, isEncrypted: false })))

const openedRow = <Row extends { readonly id: string; readonly body: string | null }>(
  bodies: DeliveryBodies,
  row: Row
): Effect.Effect<Row & OpenedBody & { readonly problem?: string }> =>
  row.body === null || !isSealed(row.body)
    ? Effect.succeed({ ...row, isEncrypted: false })
    : Effect.match(bodies.open(row.body, { deliveryId: row.id }), {
        onFailure: ({ detail }) => ({ ...row, body: null, isEncrypted: true, problem: detail }),
        onSuccess: (body) => ({ ...row, body, isEncrypted: false })
      })

/** The same of rows of which nobody reads a body. */
export const unopenedBodies = <Row extends { readonly body: string | null }>(
  rows: ReadonlyArray<Row>
): ReadonlyArray<Row & OpenedBody> =>
  rows.map((row) =>
    row.body !== null && isSealed(row.body) ? { ...row, body: null, isEncrypted: true } : { ...row, isEncrypted: false }
  )
