/** Erasing a user from the own tables: first whose customers are only theirs, then the steps, until nothing is found. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { nobody } from "../records/rows.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { isErased } from "../rules/erasure.ts"
import { isSoldElsewhere } from "../rules/identity.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { CustomerId, type UserId } from "../values/ids.ts"

const isCustomerId = Schema.is(CustomerId)

/** Whose customers they are, of those that the user is linked to or has something of. */
export interface UsersCustomerIds {
  readonly own: ReadonlyArray<CustomerId>
  /** Of whom somebody else has something, too. */
  readonly shared: ReadonlyArray<CustomerId>
}

export const customersOfUser = (
  store: BillingStoreService,
  userId: UserId,
  further: ReadonlyArray<CustomerId> = []
): Effect.Effect<UsersCustomerIds, StoreError> =>
  Effect.gen(function* () {
    const { links, records } = yield* store.ownershipOf(userId)
    const named = [...links, ...records].map(({ customerId }) => customerId).filter(isCustomerId)
    const ids = [...new Set([...further, ...named])]
    const users = yield* Effect.forEach(ids, (id) => store.usersOfCustomer(id), { concurrency: 4 })
    const isShared = (place: number) =>
      [...(users[place] ?? [])].some((user) => user !== userId && user !== nobody && !isErased(user))
    return {
      own: ids.filter((_, place) => !isShared(place)),
      shared: ids.filter((_, place) => isShared(place))
    }
  })

/** What was erased. */
export interface ErasedCounts {
  readonly records: number
  readonly deliveries: number
  readonly checkouts: number
  readonly notifications: number
}

export interface ErasedRows extends UsersCustomerIds {
  readonly counts: ErasedCounts
}

/** Something may arrive in between. More often than this it does not. */
const mostRounds = 5

export const eraseRows = (
  store: BillingStoreService,
  policy: AccessPolicy,
  {
    further,
    pseudonym,
    userId
  }: { readonly userId: UserId; readonly pseudonym: string; readonly further: ReadonlyArray<CustomerId> }
): Effect.Effect<ErasedRows, StoreError> =>
  Effect.gen(function* () {
    const known = yield* customersOfUser(store, userId, further)
    // What another deployment sold waits here for nobody, and is somebody's all the same.
    const all = yield* store.personalData(userId, known.own)
    const elsewhere = new Set(all.records.filter(isSoldElsewhere).map(({ customerId }) => customerId))
    const apart = ({ own, shared }: UsersCustomerIds): UsersCustomerIds => ({
      own: own.filter((id) => !elsewhere.has(id)),
      shared: [...shared, ...own.filter((id) => elsewhere.has(id))]
    })
    const found = apart(known)
    const { checkouts, deliveries, notifications, records } =
      elsewhere.size === 0 ? all : yield* store.personalData(userId, found.own)
    const counts: ErasedCounts = {
      records: records.length,
      deliveries: deliveries.length,
      checkouts: checkouts.length,
      notifications: notifications.length
    }
    let round = found
    for (let rounds = 0; rounds < mostRounds; rounds++) {
      const { own, shared } = round
      const { records } = yield* store.ownershipOf(userId)
      const others = records.filter(({ customerId }) => customerId === null || !own.some((id) => id === customerId))
      yield* store.eraseUser({ userId, pseudonym, own, shared, records: others }, policy)
      const left = yield* store.ownershipOf(userId)
      if (left.links.length + left.records.length === 0) break
      round = apart(yield* customersOfUser(store, userId))
    }
    return { ...found, counts }
  })
