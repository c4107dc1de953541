/**
 * No paying user stays locked out because webhooks were lost. An answer of "no" to somebody who has dealt with Polar here leads
 * to a look at Polar: what it says is stored as every other answer of its API is, and the app is told.
 *
 * Whoever has an open or recent checkout is looked after once a minute. Whoever has a customer only, such as somebody whose
 * subscription has ended, once in ten minutes: then what is known of them is old. Nobody else is. All looks together have a
 * share of the limit of requests, and rest while Polar is away. Each process counts for itself.
 *
 * Nobody waits for a look, so it may be under way when billing is disposed of. What it has asked of the database is awaited then:
 * the app may close its own pool right after, and a client of postgres.js hangs where somebody still has a connection of it.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { allRecords, together } from "../polar/allRecords.ts"
import { asRefresh } from "../polar/caller.ts"
import type { PolarClient } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { refusesForeignId } from "../polar/refusedFields.ts"
import { benefitGrantKind } from "../records/BenefitGrant.ts"
import type { ListedKind } from "../records/Kind.ts"
import { orderKind } from "../records/Order.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import { logDebug } from "../runtime/logDebug.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import type { CheckoutId, CustomerId, UserId } from "../values/ids.ts"
import type { UserLookupFailed } from "./appUsers.ts"

/**
 * `true`: the answer does not wait for it, and the next one is right. `"await"`: the answer waits for it, two seconds at most.
 * `false`: Polar is not asked.
 */
export type RefreshWhenDenied = boolean | "await"

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  /** Stores what Polar's API said. */
  readonly learn: (
    snapshots: ReadonlyArray<Snapshot>,
    asker?: UserId
  ) => Effect.Effect<unknown, StoreError | UserLookupFailed>
  /** Asks Polar what became of a checkout, and stores it. */
  readonly askCheckout: (checkoutId: CheckoutId) => Effect.Effect<unknown, RefreshError>
  readonly mode: RefreshWhenDenied
  readonly scope: Scope.Scope
}

/** Polar answers, and what it says of this one thing is of no use: no reason to leave the others out, or to let it rest. */
const isAboutOne = ({ _tag }: RefreshError): boolean =>
  _tag === "PolarForbidden" || _tag === "PolarNotFound" || _tag === "PolarUnexpectedAnswer"

const passedOver = ({ message }: RefreshError): Effect.Effect<void> =>
  logDebug("Something of somebody who was refused could not be looked at.", () => ({ error: message }))

type RefreshError = PolarError | StoreError | UserLookupFailed

/** Reads the answer, and looks at Polar if it is "no". */
export type UnlessDenied = <A>(
  userId: UserId,
  read: Effect.Effect<A, StoreError>,
  isDenied: (answer: NoInfer<A>) => boolean
) => Effect.Effect<A, StoreError>

const minute = 60_000
const afterCheckout = minute
const afterCustomer = 10 * minute
/** Whoever is nobody's customer yet may be so in a minute. */
const afterNothing = minute

/** Polar lets a checkout be paid for so long (Polar docs: checkout sessions), and its payment may take longer. */
const recent = 24 * 60 * minute
const mostCheckouts = 2
const mostCustomers = 2

/** A page waits for it. */
const longestWait = Duration.seconds(2)
const longestLook = Duration.seconds(10)

/** How many are looked after at once, and how many may wait for that; whoever comes then is looked after another time. */
const concurrency = 4
const mostWaiting = 100

/** Users that are remembered; the one longest ago is forgotten. */
const mostUsers = 10_000

/** What gives access, a benefit, or a product. */
const kinds: ReadonlyArray<ListedKind<unknown>> = [subscriptionKind, orderKind, benefitGrantKind]

interface Look {
  /** Not before this time again. */
  readonly next: number
  readonly underWay: Deferred.Deferred<void> | undefined
}

export const makeRefreshWhenDenied = Effect.fnUntraced(function* ({
  askCheckout,
  client,
  learn,
  mode,
  scope,
  store
}: Ports): Effect.fn.Return<UnlessDenied> {
  if (mode === false) return (_userId, read) => read

  const looks = new Map<string, Look>()
  const permits = yield* Effect.makeSemaphore(concurrency)
  let underWay = 0
  let restsUntil = 0

  const remember = (userId: string, look: Look) => {
    looks.delete(userId)
    looks.set(userId, look)
    const [oldest] = looks.keys()
    if (looks.size > mostUsers && oldest !== undefined) looks.delete(oldest)
  }

  /** A token that may not list them all still looks at the others. */
  const recordsOf = (customerId: CustomerId) =>
    Effect.forEach(kinds, (kind) =>
      Effect.catchIf(
        allRecords(client, kind, { customerId }),
        (error) => isAboutOne(error) || refusesForeignId(error, customerId),
        (error) => Effect.as(passedOver(error), together([]))
      )
    ).pipe(Effect.map((all) => together(all).snapshots))

  /** Succeeds with how long what was found is good for. */
  const look = Effect.fn("Billing.refreshWhenDenied")(function* (userId: UserId) {
    const now = yield* Clock.currentTimeMillis
    const checkouts = yield* Effect.uninterruptible(
      store.checkoutsOf(userId, { createdAfter: new Date(now - recent), limit: mostCheckouts })
    )
    const { links } = yield* Effect.uninterruptible(store.ownershipOf(userId))
    const customers = links
      .filter(({ deletedAt }) => deletedAt === null)
      .sort((a, b) => b.linkedAt - a.linkedAt)
      .slice(0, mostCustomers)
    // What became of one may show by its customer all the same.
    yield* Effect.forEach(checkouts, (id) => Effect.catchIf(askCheckout(id), isAboutOne, passedOver))
    // What is stored of a customer's id was one.
    const found = yield* Effect.forEach(customers, ({ customerId }) => recordsOf(customerId as CustomerId))
    yield* learn(found.flat())
    return checkouts.length > 0 ? afterCheckout : customers.length > 0 ? afterCustomer : afterNothing
  })

  const rest = (error: RefreshError | { readonly _tag: "TimeoutException"; readonly message: string }, now: number) => {
    switch (error._tag) {
      case "PolarNotConfigured":
        restsUntil = Number.POSITIVE_INFINITY
        return Effect.void
      case "PolarRateLimited":
        // The share of these looks is used up: others come when it is not.
        return logDebug("Polar was not asked about somebody who was refused.", () => ({ error: error.message }))
      default:
        restsUntil = now + minute
        return Effect.logInfo(
          `Polar could not be asked whether somebody who was refused has paid after all; trying again in a minute: ${error.message}`
        )
    }
  }

  const lookOnce = (userId: UserId, done: Deferred.Deferred<void>) =>
    permits
      .withPermits(1)(Effect.timeout(asRefresh(look(userId)), longestLook))
      .pipe(
        Effect.catchAll((error) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.as(rest(error, now), afterCheckout))
        ),
        Effect.tap((pause) =>
          Effect.map(Clock.currentTimeMillis, (now) => remember(userId, { next: now + pause, underWay: undefined }))
        ),
        Effect.ensuring(
          Effect.suspend(() => {
            underWay -= 1
            const known = looks.get(userId)
            if (known?.underWay === done) looks.delete(userId)
            return Deferred.succeed(done, undefined)
          })
        )
      )

  /** The look that is under way by now; `undefined` where none is due. */
  const begin = (userId: UserId): Effect.Effect<Deferred.Deferred<void> | undefined> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const known = looks.get(userId)
      if (known?.underWay !== undefined) return Effect.succeed(known.underWay)
      if (now < restsUntil || underWay >= mostWaiting || (known !== undefined && now < known.next)) {
        return Effect.succeed(undefined)
      }
      return Effect.flatMap(Deferred.make<void>(), (done) => {
        underWay += 1
        remember(userId, { next: Number.POSITIVE_INFINITY, underWay: done })
        return Effect.as(Effect.forkIn(lookOnce(userId, done), scope), done)
      })
    })

  return (userId, read, isDenied) =>
    Effect.flatMap(read, (answer) => {
      if (!isDenied(answer)) return Effect.succeed(answer)
      if (mode === true) return Effect.as(begin(userId), answer)
      return Effect.flatMap(begin(userId), (done) =>
        done === undefined
          ? Effect.succeed(answer)
          : Effect.zipRight(Effect.timeoutOption(Deferred.await(done), longestWait), read)
      )
    })
})
