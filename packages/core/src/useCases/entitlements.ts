/** What may a user use? Asked of the own store, or of what was read of it a moment ago. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { isPurchase } from "../records/Order.ts"
import { Subscription, type UserId, type VisibleSubscription, visible } from "../records/Subscription.ts"
import * as AccessPolicy from "../rules/AccessPolicy.ts"
import { type BenefitNames, benefitOf, type GrantedBenefit, grantedBenefits } from "../rules/grantedBenefits.ts"
import { traced } from "../runtime/traced.ts"
import { makeUserCache } from "../runtime/userCache.ts"
import type { BillingStoreService, LiveSubscription } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { type AccessOptions, checkOptionsOf } from "./callOptions.ts"
import type { makeProductNames } from "./namedIds.ts"
import type { UnlessDenied } from "./refreshWhenDenied.ts"

/**
 * @example
 * Billing.layer({ accessCache: { maxAge: "10 seconds" } })
 */
export interface AccessCacheOptions {
  /** How long what another process has stored may stay unseen. What this process stores is seen at once. */
  readonly maxAge: Duration.DurationInput
}

export interface Entitlements {
  readonly access: (userId: UserId, options?: AccessOptions) => Effect.Effect<AccessPolicy.Access, StoreError>
  readonly currentSubscription: (userId: UserId) => Effect.Effect<Option.Option<VisibleSubscription>, StoreError>
  readonly getSubscription: (userId: UserId) => Effect.Effect<Option.Option<Subscription>, StoreError>
  readonly owns: (userId: UserId, product: string) => Effect.Effect<boolean, StoreError>
  readonly benefits: {
    readonly has: (userId: UserId, key: string) => Effect.Effect<boolean, StoreError>
    readonly get: (userId: UserId, key: string) => Effect.Effect<Option.Option<GrantedBenefit>, StoreError>
    readonly list: (userId: UserId) => Effect.Effect<ReadonlyArray<GrantedBenefit>, StoreError>
  }
}

interface Ports {
  readonly store: BillingStoreService
  readonly policy: AccessPolicy.AccessPolicy
  readonly named: ReturnType<typeof makeProductNames>
  readonly unlessDenied: UnlessDenied
  readonly accessCache: AccessCacheOptions | undefined
}

/** A kilobyte or two each. */
const mostCached = 10_000

/** What was read, judged by the time at which it was. */
const mapNow = <A, B, E>(read: Effect.Effect<A, E>, judge: (value: A, now: Date) => B): Effect.Effect<B, E> =>
  Effect.clockWith((clock) => Effect.map(read, (value) => judge(value, new Date(clock.unsafeCurrentTimeMillis()))))

/** The user's access, always as the store has it. */
export const accessIn =
  (store: BillingStoreService, policy: AccessPolicy.AccessPolicy) =>
  (userId: UserId): Effect.Effect<AccessPolicy.Access, StoreError> =>
    mapNow(store.liveSubscriptionsOf(userId), (live, now) => AccessPolicy.accessOf(policy, live.map(candidateOf), now))

export const makeEntitlements = Effect.fnUntraced(function* ({
  accessCache,
  named,
  policy,
  store,
  unlessDenied
}: Ports) {
  const readLive = (userId: UserId) => Effect.map(store.liveSubscriptionsOf(userId), (live) => live.map(candidateOf))
  const readBenefits = (userId: UserId) => Effect.map(store.liveGrantsOf(userId), grantedBenefits)

  const cached = Effect.fnUntraced(function* <A>(read: (userId: UserId) => Effect.Effect<A, StoreError>) {
    if (accessCache === undefined) return read
    const cache = makeUserCache((userId) => read(userId as UserId), {
      maxAgeMillis: Duration.toMillis(accessCache.maxAge),
      most: mostCached
    })
    yield* store.watchUsers(cache.forget)
    return cache.get
  })
  // What was read is kept, and not what was answered: the clock has its word on every answer.
  const liveOf = yield* cached(readLive)
  const benefitsOf = yield* cached(readBenefits)

  // Where all of it is kept in memory anyhow, nothing less is read.
  const namesOf = (userId: UserId): Effect.Effect<ReadonlyArray<BenefitNames>, StoreError> =>
    accessCache === undefined ? store.grantedNamesOf(userId) : benefitsOf(userId)

  const benefitIn = <A extends BenefitNames>(
    read: (userId: UserId) => Effect.Effect<ReadonlyArray<A>, StoreError>,
    userId: UserId,
    key: string
  ) =>
    unlessDenied(
      userId,
      Effect.map(read(userId), (all) => benefitOf(all, key)),
      (found) => found === undefined
    )

  const current = <A extends AccessPolicy.CurrentCandidate>(live: ReadonlyArray<A>, at: Date) => {
    const subscription = AccessPolicy.current(policy, live, at)
    return subscription === undefined
      ? Option.none()
      : Option.some({ ...subscription, status: AccessPolicy.statusAt(policy, subscription, at) })
  }

  const accessAt = (userId: UserId, at?: Date, products?: ReadonlySet<string>) =>
    mapNow(liveOf(userId), (live, now) => AccessPolicy.accessOf(policy, live, at ?? now, products))

  const entitlements: Entitlements = {
    access: (userId, options) =>
      traced("Billing.access")(
        options === undefined
          ? unlessDenied(userId, accessAt(userId), isDenied)
          : Effect.zipRight(
              checkOptionsOf.access(options),
              Effect.flatMap(
                Effect.suspend(() => named.asked("access()", options)),
                (products) =>
                  options.at === undefined
                    ? unlessDenied(userId, accessAt(userId, undefined, products), isDenied)
                    : // What Polar says now is no answer to what will be, or was.
                      accessAt(userId, options.at, products)
              )
            )
      ),

    currentSubscription: (userId) =>
      unlessDenied(
        userId,
        mapNow(liveOf(userId), (live, now) => Option.map(current(live, now), visible)),
        Option.isNone
      ).pipe(traced("Billing.currentSubscription")),

    getSubscription: (userId) =>
      unlessDenied(
        userId,
        mapNow(store.subscriptionsOf(userId, "live"), (live, now) =>
          Option.map(current(live, now), Subscription.ofDecoded)
        ),
        Option.isNone
      ).pipe(traced("Billing.getSubscription")),

    owns: (userId, product) =>
      named.product("orders.owns()", "productId", product).pipe(
        Effect.flatMap((productId) =>
          unlessDenied(
            userId,
            Effect.map(store.purchaseFactsOf(userId, productId), (orders) => orders.some(isPurchase)),
            (owned) => !owned
          )
        ),
        traced("Billing.orders.owns")
      ),

    benefits: {
      has: (userId, key) =>
        Effect.map(benefitIn(namesOf, userId, key), (found) => found !== undefined).pipe(
          traced("Billing.benefits.has")
        ),
      get: (userId, key) =>
        Effect.map(benefitIn(benefitsOf, userId, key), Option.fromNullable).pipe(traced("Billing.benefits.get")),
      list: (userId) => benefitsOf(userId).pipe(traced("Billing.benefits.list"))
    }
  }
  return entitlements
})

const isDenied = ({ entitlement }: AccessPolicy.Access): boolean => entitlement === "denied"

const candidateOf = (subscription: LiveSubscription) => ({ ...subscription, isLive: true })
