/** What only the store knows of how it stands with billing, as gauges. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import type { NotificationDispatcher } from "./NotificationDispatcher.ts"
import type { Notifications } from "./notifications.ts"
import { jobName } from "./ReconcileJob.ts"

/** Whoever asks more often has what was read then. */
const goodFor = Duration.seconds(10)

/** All that is read of a report: what it lists may be long. */
const decodeDrift = Schema.decodeUnknownOption(
  Schema.parseJson(Schema.Struct({ discrepancyCount: Schema.Number, finishedAt: Schema.Date }))
)

interface Ports {
  readonly store: BillingStoreService
  readonly dispatcher: typeof NotificationDispatcher.Service
  readonly notifications: Notifications
}

export const makeObserve = ({
  dispatcher,
  notifications,
  store
}: Ports): Effect.Effect<Effect.Effect<void, StoreError>> => {
  const seconds = (since: Date, now: number) => Math.max(0, now - since.getTime()) / 1000
  const look = Effect.gen(function* () {
    yield* notifications.count
    const oldest = yield* store.oldestPending(dispatcher.handlers)
    const [newest] = yield* store.deliveries({ limit: 1, decrypt: false })
    const job = yield* store.job(jobName)
    const compared = Option.flatMap(job, ({ report }) => decodeDrift(report))
    const now = yield* Clock.currentTimeMillis
    yield* Metrics.outboxLag.update(
      Option.match(oldest, { onNone: () => 0, onSome: (queuedAt) => seconds(queuedAt, now) }),
      {}
    )
    if (newest !== undefined) yield* Metrics.newestDeliveryAge.update(seconds(newest.receivedAt, now), {})
    if (Option.isSome(compared)) {
      yield* Metrics.reconcileDrift.update(compared.value.discrepancyCount, {})
      yield* Metrics.reconcileAge.update(seconds(compared.value.finishedAt, now), {})
    }
  }).pipe(Effect.withSpan("Billing.observe"))
  return Effect.cachedWithTTL(look, goodFor)
}
