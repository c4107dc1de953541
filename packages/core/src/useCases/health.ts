/**
 * Whether billing works, for a monitor that asks every few seconds: a few short questions to the own database, and none to Polar.
 * What only Polar knows is as the last comparison found it.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ownedKinds } from "../records/kinds.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import { StoreError, type StoreErrorReason } from "../store/StoreError.ts"
import { jobName } from "./ReconcileJob.ts"
import { ReconcileReport } from "./ReconcileReport.ts"

/**
 * - `ok`
 * - `degraded`: it works, and something is lost or late unless somebody looks
 * - `down`: deliveries and questions about access fail
 * - `unknown`: it could not be looked at, or never was
 */
export const CheckStatus = Schema.Literal("ok", "degraded", "down", "unknown")
export type CheckStatus = typeof CheckStatus.Type

const HealthCheck = Schema.Struct({
  status: CheckStatus,
  /** For people, in a sentence or two. No id and no secret is in it. */
  message: Schema.String
})
export type HealthCheck = typeof HealthCheck.Type

export const Health = Schema.Struct({
  status: Schema.Literal("ok", "degraded", "down"),
  checks: Schema.Struct({
    /** It answers, and its tables are those of this version. */
    database: HealthCheck,
    /** Polar's side of the webhooks, by the last comparison. */
    endpoint: HealthCheck,
    /** Whether deliveries arrive, and could be applied. */
    deliveries: HealthCheck,
    /** Whether the app's handlers take what they are told. */
    notifications: HealthCheck
  })
})
export interface Health extends Schema.Schema.Type<typeof Health> {}

/** Whoever asks more often is answered the same. */
const goodFor = Duration.seconds(5)

/** A monitor gives up soon. */
const longest = Duration.seconds(3)

/** An organization that sells something has some event a day. */
const quietMillis = Duration.toMillis(Duration.days(1))

const ok = (message: string): HealthCheck => ({ status: "ok", message })
const degraded = (message: string): HealthCheck => ({ status: "degraded", message })
const unknown = (message: string): HealthCheck => ({ status: "unknown", message })

export const makeHealth = ({
  store
}: {
  readonly store: BillingStoreService
}): Effect.Effect<Effect.Effect<Health>> => {
  const look = Effect.gen(function* () {
    const { pending } = yield* store.migrationStatus
    if (pending.length > 0) return withoutDatabase("schema")
    const now = yield* Clock.currentTimeMillis
    const [newest] = yield* store.deliveries({ limit: 1, decrypt: false })
    const [failed] = yield* store.deliveries({ states: ["failed"], limit: 1, decrypt: false })
    const { dead } = yield* store.countNotifications()
    const compared = Option.flatMap(yield* store.job(jobName), ({ report }) => readReport(report))
    const checks: Health["checks"] = {
      database: ok("It answers, and its tables are as this version needs them."),
      endpoint: endpointOf(compared),
      deliveries:
        failed !== undefined
          ? degraded("Some deliveries could not be applied. Run: kavach-polar replay --state failed")
          : silence(compared, newest?.receivedAt.getTime() ?? null, now),
      notifications:
        dead === 0
          ? ok("The app has taken what it was told, or is being told it.")
          : degraded(
              `${dead === 1 ? "1 notification was" : `${dead} notifications were`} given up, because the app did not take ${dead === 1 ? "it" : "them"}. Run: kavach-polar notifications list`
            )
    }
    const isDegraded = Object.values(checks).some(({ status }) => status === "degraded")
    return { status: isDegraded ? "degraded" : "ok", checks } satisfies Health
  }).pipe(
    Effect.timeoutFail({
      duration: longest,
      onTimeout: () =>
        new StoreError({ operation: "health", reason: "unavailable", detail: "it did not answer in time" })
    }),
    Effect.catchAll((error) =>
      Effect.as(Effect.logWarning(`Billing is down: ${error.message}`), withoutDatabase(error.reason))
    ),
    Effect.withSpan("Billing.health")
  )
  return Effect.cachedWithTTL(look, goodFor)
}

/**
 * Where the database does not answer, or its tables are not those of this version. What it said of that is for the log: anybody may
 * ask a monitor's route.
 *
 * @example
 * Billing.withoutDatabase("unavailable").status // "down"
 */
export const withoutDatabase = (reason: StoreErrorReason): Health => {
  const notLookedAt = unknown("Not looked at: the database comes first.")
  return {
    status: "down",
    checks: {
      database: {
        status: "down",
        message:
          reason === "schema"
            ? "The database's tables are not those of this version. Run: kavach-polar migrate --status"
            : "The database does not answer as it has to. The log says why; so does: kavach-polar doctor"
      },
      endpoint: notLookedAt,
      deliveries: notLookedAt,
      notifications: notLookedAt
    }
  }
}

const decodeReport = Schema.decodeUnknownOption(Schema.parseJson(ReconcileReport))

const readReport = (report: string | null): Option.Option<ReconcileReport> =>
  report === null ? Option.none() : decodeReport(report)

const endpointOf = (compared: Option.Option<ReconcileReport>): HealthCheck => {
  if (Option.isNone(compared)) {
    return unknown("Nothing was compared with Polar so far: set `reconcileEveryHours`, or run kavach-polar reconcile.")
  }
  const { finishedAt, webhooks } = compared.value
  const when = `by the comparison of ${finishedAt.toISOString()}`
  if (webhooks.notChecked !== null) return unknown("The access token may not look at webhook endpoints.")
  const own = webhooks.endpoints.filter(({ isOwn }) => isOwn)
  if (own.length === 0) return degraded(`Polar has no endpoint of this app's, ${when}. Run: kavach-polar setup`)
  if (own.some(({ enabled }) => !enabled)) {
    return degraded(`Polar has disabled the endpoint, ${when}: no event arrives. Run: kavach-polar setup`)
  }
  if (own.some(({ format, missingTypes }) => format !== "raw" || missingTypes.length > 0)) {
    return degraded(`Polar's endpoint is not as it has to be, ${when}. Run: kavach-polar setup`)
  }
  return ok(`Polar's endpoint is enabled and gets all events, ${when}.`)
}

/** Nothing may have happened; but then Polar has nothing to tell that was not told. */
const silence = (compared: Option.Option<ReconcileReport>, newest: number | null, now: number): HealthCheck => {
  if (newest !== null && now - newest < quietMillis) return ok("Deliveries arrive, and are applied.")
  const missed = Option.filter(
    compared,
    (report) => missedIn(report) > 0 && (newest ?? 0) < report.finishedAt.getTime()
  )
  if (Option.isNone(missed)) return ok("No delivery for a day, and Polar has nothing that was not told.")
  const since =
    newest === null ? "Nothing was ever delivered" : `Nothing was delivered since ${new Date(newest).toISOString()}`
  return degraded(`${since}, though Polar had something to tell. Run: kavach-polar doctor`)
}

/** What users have. Products and the like may be older than the endpoint, and were never told of. */
const owned = new Set(ownedKinds.map(({ name }) => name))

const missedIn = ({ discrepancies, webhooks }: ReconcileReport): number =>
  discrepancies.filter(({ finding, kind }) => finding !== "unlinked" && owned.has(kind)).length +
  webhooks.endpoints.reduce((sum, { isOwn, undelivered }) => sum + (isOwn ? undelivered : 0), 0)
