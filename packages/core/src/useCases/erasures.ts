/**
 * Erasing a person, here and at Polar. What is asked for is written down first, as a job, so that neither a crash nor an outage of
 * Polar loses it: whoever runs maintenance goes on where it stands.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import { allRecords, together } from "../polar/allRecords.ts"
import type { PolarClient } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { refusesForeignId } from "../polar/refusedFields.ts"
import type { PolarCustomer } from "../records/PolarObjects.ts"
import type { Subscription } from "../records/Subscription.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { pseudonymOf } from "../rules/erasure.ts"
import { type AppUsers, isOfThisApp } from "../rules/identity.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import { isDone, type SubscriptionUpdate } from "../rules/subscriptionUpdate.ts"
import { randomId } from "../runtime/randomId.ts"
import type { BillingStoreService, Job } from "../store/BillingStore.ts"
import { isOfOneRow, type StoreError } from "../store/StoreError.ts"
import { CustomerId, SubscriptionId, UserId } from "../values/ids.ts"
import { shortHash } from "../values/shortHash.ts"
import { eraseRows } from "./eraseUser.ts"

/**
 * What becomes of the person at Polar, and of what they pay for.
 *
 * - `polar: "keep"`: the customer stays there. `subscriptions` says whether it pays on (`keep`), until the end of what is paid for
 *   (`cancel`), or no more (`revoke`).
 * - `polar: "delete"`: the customer is deleted, which ends all of its subscriptions now.
 * - `polar: "anonymize"`: the same, and name and address are replaced.
 *
 * @example
 * await billing.privacy.erase("user_1", { polar: "anonymize" })
 * await billing.privacy.erase("user_2", { polar: "keep", subscriptions: "cancel" })
 */
export type EraseOptions =
  | { readonly polar: "keep"; readonly subscriptions: "keep" | "cancel" | "revoke" }
  | { readonly polar: "anonymize" | "delete"; readonly subscriptions?: "revoke" | undefined }

/** An erasure, and how far it is. Nothing in it leads to the user. */
export interface Erasure {
  readonly id: string
  /** Who stands in the user's place in what is kept. */
  readonly pseudonym: string
  readonly requestedAt: Date
  /** `waiting`: for Polar. It goes on by itself. */
  readonly state: "done" | "waiting"
  /** How often it was tried. */
  readonly attempts: number
  /** Why it waits. */
  readonly lastError: string | null
  /** What was erased of the own tables. */
  readonly erased: {
    readonly records: number
    readonly deliveries: number
    readonly checkouts: number
    readonly notifications: number
  }
  readonly polar: "keep" | "anonymize" | "delete"
  /** Customers of the user. */
  readonly customerIds: ReadonlyArray<string>
  /**
   * Customers of whom somebody else has something, too, or who have the user's id at Polar and another address: they may be
   * another deployment's. They are left alone at Polar.
   */
  readonly sharedCustomerIds: ReadonlyArray<string>
  /** Subscriptions that were ended, or will be. */
  readonly endedSubscriptionIds: ReadonlyArray<string>
}

const Counts = Schema.Struct({
  records: Schema.Number,
  deliveries: Schema.Number,
  checkouts: Schema.Number,
  notifications: Schema.Number
})

const State = Schema.Struct({
  polar: Schema.Literal("keep", "anonymize", "delete"),
  subscriptions: Schema.Literal("keep", "cancel", "revoke"),
  /** Until Polar was asked for a customer of this user that is not known here. */
  userId: Schema.NullOr(UserId),
  /** As long: what the user's address in the app's own table comes to, where there is one. */
  address: Schema.optional(Schema.NullOr(Schema.String)),
  /** `null` until the own tables were gone through. */
  erased: Schema.NullOr(Counts),
  own: Schema.Array(CustomerId),
  shared: Schema.Array(CustomerId),
  /** Customers of whom nothing is left to do at Polar. */
  done: Schema.Array(CustomerId),
  ended: Schema.Array(SubscriptionId),
  attempts: Schema.Number,
  lastError: Schema.NullOr(Schema.String),
  requestedAt: Schema.Date
})
type State = typeof State.Type

const StateJson = Schema.parseJson(State)
const encodeState = Schema.encodeSync(StateJson)

const namePrefix = "erasure:"

/** As long as a call of Polar's may take, with all waiting for the limit of requests. */
const lease = Duration.minutes(5)

/** Those that wait for Polar, or for whoever was at it when it died. */
export const waitingErasures = (store: BillingStoreService): Effect.Effect<ReadonlyArray<Job>, StoreError> =>
  Effect.map(store.jobsNamed(namePrefix), (jobs) => jobs.filter(({ position }) => position !== null))

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  readonly policy: AccessPolicy
  readonly externalIds: AppUsers["externalIds"]
  /** Stores what Polar has answered. */
  readonly learn: (snapshots: ReadonlyArray<Snapshot>) => Effect.Effect<unknown, { readonly message: string }>
}

export interface Erasures {
  readonly erase: (userId: UserId, options: EraseOptions) => Effect.Effect<Erasure, StoreError | PolarError>
  /** All that were asked for, the newest first. */
  readonly list: Effect.Effect<ReadonlyArray<Erasure>, StoreError>
  /** Goes on with those that wait for Polar. Succeeds with how many are done by that. */
  readonly resume: Effect.Effect<number, StoreError>
}

export const makeErasures = ({ client, externalIds, learn, policy, store }: Ports): Erasures => {
  type Found = Effect.Effect<Option.Option<PolarCustomer>, PolarError>

  /** All that is left to do; what is done is saved at once. `find`: the customer that Polar has of this user. */
  const carryOut = (
    id: string,
    state: Ref.Ref<State>,
    save: (change: Partial<State>) => Effect.Effect<void, StoreError>,
    find: (userId: UserId) => Found
  ): Effect.Effect<void, StoreError | PolarError> =>
    Effect.gen(function* () {
      const pseudonym = pseudonymOf(id)
      const eraseHere = (userId: UserId, further: ReadonlyArray<CustomerId>) =>
        Effect.gen(function* () {
          const { counts, own, shared } = yield* eraseRows(store, policy, { userId, pseudonym, further })
          const before = yield* Ref.get(state)
          yield* save({
            erased: before.erased === null ? counts : sum(before.erased, counts),
            own: union(before.own, own),
            shared: union(before.shared, shared)
          })
        })
      const { erased, polar, subscriptions, userId } = yield* Ref.get(state)
      const leavesPolar = polar === "keep" && subscriptions === "keep"
      if (userId !== null) {
        if (erased === null) yield* eraseHere(userId, [])
        if (!leavesPolar) {
          const found = yield* find(userId)
          const { address, own, shared } = yield* Ref.get(state)
          const unknown = Option.toArray(found).filter(({ id }) => !own.includes(id))
          const theirs = unknown.filter(({ email }) => isTheirs(address, email)).map(({ id }) => id)
          const others = unknown.map(({ id }) => id).filter((id) => !theirs.includes(id))
          if (others.length > 0) yield* save({ shared: union(shared, others) })
          // Also what came of the user while Polar was away.
          if (theirs.length > 0 || erased !== null) yield* eraseHere(userId, theirs)
        }
        yield* save({ userId: null, address: null })
      }
      if (leavesPolar) return
      yield* endSubscriptions(pseudonym as UserId, state, save)
      if (polar === "keep") return
      const { done, own } = yield* Ref.get(state)
      for (const customerId of own) {
        if (done.includes(customerId)) continue
        yield* Effect.catchIf(
          client.deleteCustomer(customerId, { anonymize: polar === "anonymize" }),
          (error) => refusesForeignId(error, customerId),
          () => Effect.void
        )
        yield* save({ done: [...(yield* Ref.get(state)).done, customerId] })
      }
    })

  /** A customer of whom nothing is known here but that it has the user's id: whom the app names is its user. */
  const isTheirs = (address: string | null | undefined, customerEmail: string | null): boolean =>
    isOfThisApp(
      { email: address, isKnown: true, customerEmail: customerEmail === null ? null : comparable(customerEmail) },
      externalIds === "trust"
    )

  const endSubscriptions = (
    pseudonym: UserId,
    state: Ref.Ref<State>,
    save: (change: Partial<State>) => Effect.Effect<void, StoreError>
  ): Effect.Effect<void, StoreError | PolarError> =>
    Effect.gen(function* () {
      const { own, polar, subscriptions } = yield* Ref.get(state)
      const update: SubscriptionUpdate = subscriptions === "cancel" ? { _tag: "Cancel" } : { _tag: "Revoke" }
      const known = yield* store.subscriptionsOf(pseudonym, "all")
      // No webhook may have told of it, and it would be paid for on and on.
      const atPolar = yield* Effect.forEach(own, (customerId) => subscriptionsAtPolar(customerId))
      const all = new Map(
        [...known, ...atPolar.flatMap(({ found }) => found)].map((subscription) => [subscription.id, subscription])
      )
      for (const subscription of all.values()) {
        if (isOver(subscription) || isDone(update, subscription)) continue
        // One that rests has no period at the end of which it could end.
        yield* end(subscription.id, subscription.status === "paused" ? { _tag: "Revoke" } : update)
        yield* save({ ended: union((yield* Ref.get(state)).ended, [subscription.id]) })
      }
      // With its customer each ends, whatever it is. Else nobody can tell of what cannot be read that it has, so that it waits.
      if (polar !== "keep") return
      for (const { error, id } of atPolar.flatMap(({ unreadable }) => unreadable)) {
        if (!isSubscriptionId(id)) return yield* error
        yield* end(id, update)
        yield* save({ ended: union((yield* Ref.get(state)).ended, [id]) })
      }
    })

  const subscriptionsAtPolar = (customerId: CustomerId) =>
    allRecords(client, subscriptionKind, { customerId }).pipe(
      Effect.catchIf(
        (error) => refusesForeignId(error, customerId),
        () => Effect.succeed(together([]))
      ),
      Effect.map(({ snapshots, unreadable }) => ({
        found: snapshots.flatMap(({ report }) => Option.toArray(subscriptionKind.fromStored(report.data))),
        unreadable
      }))
    )

  /** Its webhook says the same, sooner or later. */
  const remember = (snapshot: Snapshot): Effect.Effect<void> =>
    Effect.catchAll(Effect.asVoid(learn([snapshot])), ({ message }) => Effect.logWarning(message))

  /** Where Polar refuses it because it is so already, nothing is left to do. */
  const end = (id: SubscriptionId, update: SubscriptionUpdate) =>
    Effect.gen(function* () {
      const said = yield* Effect.either(client.updateSubscription(id, update))
      if (said._tag === "Right") return yield* remember(said.right)
      const now = yield* client.getSubscription(id)
      const read = Option.flatMap(now, ({ report }) => subscriptionKind.fromStored(report.data))
      if (Option.isSome(now)) yield* remember(now.value)
      const isSettled = Option.match(read, {
        onNone: () => true,
        onSome: (subscription) => isOver(subscription) || isDone(update, subscription)
      })
      if (!isSettled) return yield* said.left
    })

  /** Until it is done, or Polar does not let it. */
  const run = (
    job: Job,
    owner: string,
    begun: State,
    find: (userId: UserId) => Found = client.findCustomerByExternalId
  ): Effect.Effect<Erasure, StoreError> =>
    Effect.gen(function* () {
      const id = job.name.slice(namePrefix.length)
      const state = yield* Ref.make(begun)
      const save = (change: Partial<State>): Effect.Effect<void, StoreError> =>
        Effect.gen(function* () {
          const next = yield* Ref.updateAndGet(state, (before) => ({ ...before, ...change }))
          yield* store.continueJob(job.name, owner, encodeState(next), lease)
        })
      yield* save({ attempts: begun.attempts + 1 })
      const problem = yield* carryOut(id, state, save, find).pipe(
        Effect.as(null),
        Effect.catchIf(isPolarError, (error) => Effect.succeed(error.message)),
        // So that it need not wait for the lease to end.
        Effect.tapError(() =>
          Effect.flatMap(Ref.get(state), (reached) =>
            Effect.ignoreLogged(store.releaseJob(job.name, owner, encodeState(reached)))
          )
        )
      )
      const ended = yield* Ref.updateAndGet(state, (before) => ({ ...before, lastError: problem }))
      if (problem === null) yield* store.finishJob(job.name, owner, encodeState(ended))
      else yield* store.releaseJob(job.name, owner, encodeState(ended))
      if (problem !== null) {
        yield* Effect.logWarning(`An erasure waits for Polar: ${problem}`).pipe(Effect.annotateLogs({ erasure: id }))
      }
      return erasureOf(id, ended, problem === null)
    })

  const claim = (name: string, owner: string) => store.claimJob({ name, owner, lease })

  return {
    erase: (userId, { polar, subscriptions = "revoke" }) =>
      Effect.gen(function* () {
        const leavesPolar = polar === "keep" && subscriptions === "keep"
        // Asked first, because without a token nothing could ever be done there; and once, because an outage takes its time.
        const found = leavesPolar
          ? Either.right(Option.none())
          : yield* Effect.either(client.findCustomerByExternalId(userId))
        if (Either.isLeft(found) && found.left._tag === "PolarNotConfigured") return yield* found.left
        const [id, owner] = [yield* randomId, yield* randomId]
        const user = yield* store.findUser(userId)
        const begun: State = {
          polar,
          subscriptions,
          userId,
          address: Option.getOrNull(
            Option.map(
              Option.flatMap(user, ({ email }) => email),
              comparable
            )
          ),
          erased: null,
          own: [],
          shared: [],
          done: [],
          ended: [],
          attempts: 0,
          lastError: null,
          requestedAt: new Date(yield* Clock.currentTimeMillis)
        }
        const job = yield* Effect.flatten(
          Effect.map(claim(`${namePrefix}${id}`, owner), Option.match({ onNone: neverTaken, onSome: Effect.succeed }))
        )
        return yield* run(job, owner, begun, () => found)
      }),

    list: Effect.map(
      Effect.suspend(() => store.jobsNamed(namePrefix)),
      (jobs) =>
        jobs
          .flatMap((job) => Option.toArray(erasureIn(job)))
          .sort((a, b) => b.requestedAt.getTime() - a.requestedAt.getTime())
    ),

    resume: Effect.gen(function* () {
      const waiting = yield* waitingErasures(store)
      const ended = yield* Effect.forEach(waiting, ({ name }) =>
        Effect.gen(function* () {
          const owner = yield* randomId
          const claimed = yield* claim(name, owner)
          if (Option.isNone(claimed)) return false
          const begun = stateOf(claimed.value)
          if (claimed.value.position === null || Option.isNone(begun)) {
            yield* store.releaseJob(name, owner, claimed.value.position)
            return false
          }
          return (yield* run(claimed.value, owner, begun.value)).state === "done"
        }).pipe(
          // One that cannot be written is left with its error, and keeps none of the others waiting.
          Effect.catchIf(isOfOneRow, (error) =>
            Effect.as(
              Effect.annotateLogs(Effect.logError(error.message), { erasure: name.slice(namePrefix.length) }),
              false
            )
          )
        )
      )
      return ended.filter(Boolean).length
    })
  }
}

/** Its name was just made at random. */
const neverTaken = () => Effect.dieMessage("A job that was just named is another's.")

const isSubscriptionId = Schema.is(SubscriptionId)

const isPolarError = (error: StoreError | PolarError): error is PolarError => error._tag !== "StoreError"

/** What a later version wrote there is no use to this one. */
const stateOf = ({ position, report }: Job): Option.Option<State> =>
  Schema.decodeUnknownOption(StateJson)(position ?? report)

/** The erasure that a job is; none where it is another job, or not as this version writes it. */
export const erasureIn = (job: Job): Option.Option<Erasure> =>
  job.name.startsWith(namePrefix)
    ? Option.map(stateOf(job), (state) => erasureOf(job.name.slice(namePrefix.length), state, job.position === null))
    : Option.none()

const erasureOf = (id: string, state: State, isFinished: boolean): Erasure => ({
  id,
  pseudonym: pseudonymOf(id),
  requestedAt: state.requestedAt,
  state: isFinished ? "done" : "waiting",
  attempts: state.attempts,
  lastError: state.lastError,
  erased: state.erased ?? { records: 0, deliveries: 0, checkouts: 0, notifications: 0 },
  polar: state.polar,
  customerIds: state.own,
  sharedCustomerIds: state.shared,
  endedSubscriptionIds: state.ended
})

/** An address, so that two can be compared by it, and none is kept while an erasure waits. */
const comparable = (address: string): string => shortHash(address.trim().toLowerCase())

const union = <A>(some: ReadonlyArray<A>, others: ReadonlyArray<A>): ReadonlyArray<A> => [
  ...new Set([...some, ...others])
]

type Counts = typeof Counts.Type

const sum = (one: Counts, other: Counts): Counts => ({
  records: one.records + other.records,
  deliveries: one.deliveries + other.deliveries,
  checkouts: one.checkouts + other.checkouts,
  notifications: one.notifications + other.notifications
})

/** What Polar ends no more, because it has. */
const isOver = ({ endedAt, status }: Subscription): boolean =>
  endedAt !== null || status === "canceled" || status === "incomplete_expired"
