/**
 * What is wrong with an installation, and what puts it right: for whoever is called when somebody paid and has no access. Looks
 * only: at Polar's side, at the database, at what waits, and whether both sides say the same.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { PolarClient } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import type { RecordedDelivery } from "../records/Delivery.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import type { UserLookupFailed } from "./appUsers.ts"
import { databaseFindings } from "./databaseFindings.ts"
import { deliveryFindings } from "./deliveryFindings.ts"
import { broken, type Check, type Diagnosis, type Finding, fine, unknown, warning, worstOf } from "./diagnosis.ts"
import { endpointFindings, noEndpoint } from "./endpointFindings.ts"
import { waitingErasures } from "./erasures.ts"
import { makeLinkFindings } from "./linkFindings.ts"
import type { EndpointReport, ReconcileCounts, WebhookReport } from "./ReconcileReport.ts"
import { makeScopeFindings } from "./scopeFindings.ts"

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  readonly organizationId: string | undefined
  readonly checkWebhooks: (options: {
    readonly dryRun: boolean
  }) => Effect.Effect<WebhookReport, PolarError | StoreError>
  readonly sample: (most: number) => Effect.Effect<ReconcileCounts, PolarError | StoreError | UserLookupFailed>
}

/** Of Polar's newest subscriptions, of its newest orders, and of what is stored as live. */
const sampleSize = 50

/** Deliveries are signed with a time, and refused when it is further away (Polar docs: webhooks/delivery). */
const toleranceSeconds = 300
const uneasySeconds = 60

const day = 86_400_000

/** As many as are counted one by one. */
const mostCounted = 100

export const makeDiagnose = ({ checkWebhooks, client, organizationId, sample, store }: Ports) => {
  const database: Effect.Effect<ReadonlyArray<Finding>> = Effect.match(
    Effect.suspend(() => store.migrationStatus),
    {
      onFailure: ({ message, reason }) => [
        broken(
          "database",
          message,
          "Deliveries are answered 503, and Polar gives up on each after half an hour.",
          reason === "schema" ? "kavach-polar migrate, or deploy the version that has made the tables" : null
        )
      ],
      onSuccess: ({ applied, pending }) =>
        pending.length === 0
          ? [fine("database", "The tables are as this version needs them.")]
          : [
              broken(
                "database",
                applied.length === 0
                  ? "The database has no tables of billing."
                  : `The database has yet to have ${pending.join(", ")}.`,
                "Deliveries are answered 503, and Polar gives up on each after half an hour.",
                "kavach-polar migrate"
              )
            ]
    }
  )

  /** The token, and whose it is. */
  const token: Effect.Effect<ReadonlyArray<Finding>> = Effect.match(client.organizations, {
    onFailure: (error) => {
      switch (error._tag) {
        case "PolarForbidden":
          return [
            fine("token", "Polar knows the access token. It may not say whose it is: that takes organizations:read.")
          ]
        case "PolarUnauthorized":
        case "PolarNotConfigured":
          return [
            broken(
              "token",
              error.message,
              "No checkout can be made, and nothing can be compared with Polar.",
              "Set POLAR_ACCESS_TOKEN, and POLAR_ENVIRONMENT to sandbox or production"
            )
          ]
        default:
          return [unknown("token", error.message)]
      }
    },
    onSuccess: (organizations) => {
      const named = organizations.map(({ id, slug }) => `${slug} (${id})`).join(", ")
      const known = fine("token", `The access token is of the organization ${named}.`)
      if (organizationId === undefined) return [known]
      return organizations.some(({ id }) => id === organizationId)
        ? [known, fine("organization", "POLAR_ORGANIZATION_ID is the token's organization.")]
        : [
            known,
            broken(
              "organization",
              `POLAR_ORGANIZATION_ID is ${organizationId}, and the access token is of ${named}.`,
              "Deliveries of any other organization than POLAR_ORGANIZATION_ID are ignored.",
              "Set POLAR_ORGANIZATION_ID to Polar's id of your organization, or leave it out"
            )
          ]
    }
  })

  const scopesOfToken = makeScopeFindings(client)

  /** What the endpoint is, and how its deliveries end. */
  const lookAtEndpoint = (report: EndpointReport): Effect.Effect<ReadonlyArray<Finding>> =>
    Effect.gen(function* () {
      const found = endpointFindings(report)
      const ahead = Option.getOrElse(yield* client.clockAhead, () => 0)
      const since = new Date((yield* Clock.currentTimeMillis) - ahead - day)
      const attempts = yield* client.webhookDeliveries(report.id, since)
      // A disabled endpoint is sent nothing, and says so.
      const ofDeliveries = report.enabled ? deliveryFindings(report.url, attempts) : []
      return ofDeliveries.length === 0 ? found : [...found.filter(({ level }) => level !== "fine"), ...ofDeliveries]
    }).pipe(
      Effect.catchAll(({ message }) => Effect.succeed([...endpointFindings(report), unknown("endpoint", message)]))
    )

  const endpoint: Effect.Effect<ReadonlyArray<Finding>> = Effect.flatMap(
    Effect.either(checkWebhooks({ dryRun: true })),
    Either.match({
      onLeft: ({ message }) => Effect.succeed([unknown("endpoint", message)]),
      onRight: ({ endpoints, notChecked }): Effect.Effect<ReadonlyArray<Finding>> => {
        if (notChecked !== null) {
          return Effect.succeed([
            warning(
              "endpoint",
              "The access token lacks webhooks:read, so the webhook endpoint cannot be looked at.",
              "Polar switches an endpoint off that fails for long, and nobody here would notice.",
              "Make a token that has it at Polar"
            )
          ])
        }
        const own = endpoints.filter(({ isOwn }) => isOwn)
        return own.length === 0
          ? Effect.succeed([noEndpoint(endpoints)])
          : Effect.map(Effect.forEach(own, lookAtEndpoint), (all) => all.flat())
      }
    })
  )

  const clock: Effect.Effect<ReadonlyArray<Finding>> = Effect.map(client.clockAhead, (ahead) => {
    if (Option.isNone(ahead)) return [unknown("clock", "Polar has not said what time it is there.")]
    const seconds = Math.round(Math.abs(ahead.value) / 1000)
    const difference = `This clock is ${seconds} seconds ${ahead.value < 0 ? "behind" : "ahead of"} Polar's.`
    if (seconds <= uneasySeconds) return [fine("clock", difference)]
    return [
      (seconds > toleranceSeconds ? broken : warning)(
        "clock",
        difference,
        `Deliveries that seem to be signed more than ${toleranceSeconds} seconds away from now are refused.`,
        "Set this machine's clock by a time server (NTP)"
      )
    ]
  })

  const inbox = (state: "failed" | "unlinked") =>
    store.deliveries({ states: [state], order: "oldest", limit: mostCounted, decrypt: false })

  const waiting: Effect.Effect<ReadonlyArray<Finding>> = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const failed = yield* inbox("failed")
    const unlinked = yield* inbox("unlinked")
    const { dead } = yield* store.countNotifications()
    const erasures = yield* waitingErasures(store)
    const found = [
      ...(failed.length === 0
        ? []
        : [
            broken(
              "waiting",
              `${counted(failed)} could not be applied, the oldest ${since(failed, now)}.`,
              "What they tell of is not in the database.",
              "kavach-polar replay --state failed"
            )
          ]),
      ...(unlinked.length === 0
        ? []
        : [
            warning(
              "waiting",
              `${counted(unlinked)} wait for their user, the oldest ${since(unlinked, now)}.`,
              "Somebody may have paid who is not known here, and has nothing of it.",
              "kavach-polar customers waiting, then customers link"
            )
          ]),
      ...(dead === 0
        ? []
        : [
            broken(
              "waiting",
              `The app did not take ${dead === 1 ? "1 notification" : `${dead} notifications`}, and is not told of ${dead === 1 ? "it" : "them"} any more.`,
              "What your handlers do for it was not done.",
              "kavach-polar notifications list, then notifications retry"
            )
          ]),
      ...(erasures.length === 0
        ? []
        : [
            warning(
              "waiting",
              `${erasures.length === 1 ? "1 erasure waits" : `${erasures.length} erasures wait`} for Polar.`,
              "A person who asked to be forgotten is not yet, and may pay for what they left.",
              "kavach-polar erasures --resume"
            )
          ])
    ]
    return found.length > 0 ? found : [fine("waiting", "Nothing waits for anybody.")]
  }).pipe(Effect.catchAll(({ message }) => Effect.succeed([unknown("waiting", message)])))

  const drift: Effect.Effect<ReadonlyArray<Finding>> = Effect.match(sample(sampleSize), {
    onFailure: ({ message }) => [unknown("drift", message)],
    onSuccess: ({ compared, discrepancyCount, unknownToPolar }) => {
      const found = [
        ...(discrepancyCount === 0
          ? []
          : [
              broken(
                "drift",
                `Of ${compared} records ${discrepancyCount} are not as Polar has them.`,
                "Somebody has what they did not pay for, or paid for what they have not.",
                "kavach-polar reconcile"
              )
            ]),
        ...(unknownToPolar.length === 0
          ? []
          : [
              broken(
                "drift",
                `Polar does not know ${unknownToPolar.length} subscriptions that are stored as live.`,
                "The access token is of another organization or environment than the database's records.",
                "Compare POLAR_ENVIRONMENT and the token with those of the app"
              )
            ])
      ]
      return found.length > 0 ? found : [fine("drift", `${compared} records are as Polar has them.`)]
    }
  })

  const links = makeLinkFindings({ client, store })

  const all = Effect.gen(function* () {
    const tables = yield* database
    const ofToken = yield* token
    const [hasTables, hasToken] = [!isBad(tables), !isBad(ofToken)]
    const orNot = (check: Check, isPossible: boolean, look: Effect.Effect<ReadonlyArray<Finding>>) =>
      isPossible
        ? look
        : Effect.succeed([
            unknown(check, `Not looked at: ${hasToken ? "the database" : "the access token"} comes first.`)
          ])
    const findings = [
      ...tables,
      ...(hasTables ? yield* databaseFindings(store) : []),
      ...ofToken,
      ...(yield* orNot("scopes", hasToken, scopesOfToken)),
      ...(yield* orNot("endpoint", hasToken && hasTables, endpoint)),
      ...(yield* orNot("clock", hasToken, clock)),
      ...(hasTables ? yield* waiting : [unknown("waiting", "Not looked at: the database comes first.")]),
      ...(yield* orNot("drift", hasToken && hasTables, drift)),
      ...(yield* orNot("links", hasToken && hasTables, links))
    ]
    return { status: worstOf(findings), findings } satisfies Diagnosis
  }).pipe(Effect.withSpan("Billing.diagnose"))

  /** Without a question to Polar: for a page that is loaded often. */
  const stored = Effect.flatMap(database, (tables) =>
    isBad(tables) ? Effect.succeed(tables) : Effect.map(waiting, (found) => [...tables, ...found])
  )

  return { all, stored }
}

const isBad = (findings: ReadonlyArray<Finding>): boolean =>
  findings.some(({ check, level }) => level !== "fine" && check !== "organization")

const counted = ({ length }: ReadonlyArray<RecordedDelivery>): string =>
  length === 1 ? "1 delivery" : `${length >= mostCounted ? `${mostCounted} or more` : length} deliveries`

const since = ([oldest]: ReadonlyArray<RecordedDelivery>, now: number): string => {
  const minutes = Math.max(0, Math.round((now - (oldest?.receivedAt.getTime() ?? now)) / 60_000))
  return minutes < 120
    ? `${minutes} minutes ago`
    : minutes < 48 * 60
      ? `${Math.round(minutes / 60)} hours ago`
      : `${Math.round(minutes / (24 * 60))} days ago`
}
