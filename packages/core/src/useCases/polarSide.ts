/** What Polar has of somebody, beside what is stored. It only looks. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { allRecords } from "../polar/allRecords.ts"
import type { PolarClient, RecordFilter } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { refusesForeignId } from "../polar/refusedFields.ts"
import { listedKinds, ownedKinds } from "../records/kinds.ts"
import { recordKey } from "../records/RecordReport.ts"
import type { RecordRow } from "../records/rows.ts"

export interface PolarSide {
  /** What Polar lists of the same customers. `stored`: the status that is stored of it, `null` where nothing is. */
  readonly records: ReadonlyArray<{
    readonly kind: string
    readonly id: string
    readonly customerId: string | null
    readonly status: string
    readonly stored: string | null
  }>
  /** Subscriptions, orders and so on that are stored, live, and not among what Polar lists. */
  readonly unknownToPolar: ReadonlyArray<{ readonly kind: string; readonly id: string }>
  /** Whether both sides say the same, as far as Polar answered. */
  readonly isSame: boolean
  /** Kinds of which Polar did not answer, and why. */
  readonly problems: ReadonlyArray<{ readonly kind: string; readonly problem: string }>
}

interface About {
  readonly userId: string | null
  readonly customerIds: ReadonlyArray<string>
  readonly stored: ReadonlyArray<RecordRow>
}

/** Somebody waits for it, and few people have more. */
const mostCustomers = 5

const compared = listedKinds.filter((kind) => ownedKinds.includes(kind))

export const lookAtPolar = (
  client: typeof PolarClient.Service,
  { customerIds, stored, userId }: About
): Effect.Effect<PolarSide> =>
  Effect.gen(function* () {
    const problems: Array<PolarSide["problems"][number]> = []
    const asked = <A>(kind: string, call: Effect.Effect<A, PolarError>, otherwise: A): Effect.Effect<A> =>
      Effect.catchAll(call, ({ message }) => {
        problems.push({ kind, problem: message })
        return Effect.succeed(otherwise)
      })
    // Of somebody of whom no delivery has come, Polar may know the customer all the same.
    const named =
      userId === null
        ? Option.none()
        : yield* asked("customer", client.findCustomerByExternalId(userId), Option.none<{ readonly id: string }>())
    const ids = [...new Set([...customerIds, ...Option.toArray(Option.map(named, ({ id }) => id as string))])]
    const pages = yield* Effect.forEach(
      compared,
      (kind) => {
        const filters: ReadonlyArray<RecordFilter> = [
          ...ids.slice(0, mostCustomers).map((customerId) => ({ customerId })),
          ...(kind.list.byMetadata && userId !== null ? [{ metadataUserId: userId }] : [])
        ]
        return asked(
          kind.name,
          Effect.forEach(filters, (filter) =>
            Effect.catchIf(
              allRecords(client, kind, filter),
              (error) => filter.customerId !== undefined && refusesForeignId(error, filter.customerId),
              () => Effect.succeed({ snapshots: [], unreadable: [] })
            )
          ),
          null
        )
      },
      { concurrency: 2 }
    )
    const before = new Map(stored.map((row) => [recordKey(row), row.status]))
    const reports = new Map(
      pages
        .flatMap((page) => page ?? [])
        .flatMap(({ snapshots }) => snapshots.map(({ report }) => [recordKey(report), report] as const))
    )
    const records = [...reports].map(([key, { customer, id, kind, status }]) => ({
      kind,
      id,
      customerId: customer.id as string | null,
      status,
      stored: before.get(key) ?? null
    }))
    const answered = new Set(compared.filter((_, index) => pages[index] !== null).map(({ name }) => name))
    const unknownToPolar = stored
      .filter((row) => row.live && answered.has(row.kind) && !reports.has(recordKey(row)))
      .map(({ id, kind }) => ({ kind, id }))
    return {
      records,
      unknownToPolar,
      isSame: unknownToPolar.length === 0 && records.every(({ status, stored: here }) => status === here),
      problems
    }
  }).pipe(Effect.withSpan("Billing.lookAtPolar"))
