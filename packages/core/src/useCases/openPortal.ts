/**
 * Opening Polar's portal, where a user manages what they bought.
 *
 * The customer is one that is known to be the user's: by a link, or by what is stored of theirs. A customer that Polar has
 * deleted is passed over for the next one. Polar's idea of who has the user's id comes last, because another deployment in the
 * same organization may have a user of that id. A customer of whom another user has something is opened for nobody.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { CustomerSession, PolarClient } from "../polar/PolarClient.ts"
import type { PolarError, PolarRejected } from "../polar/PolarError.ts"
import { refusesForeignId, refusesOnly } from "../polar/refusedFields.ts"
import { orderKind } from "../records/Order.ts"
import type { CustomerId, User, UserId } from "../records/Subscription.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { CustomerShared, MemberNeeded, NoCustomer, type TooManySessions } from "./BuyerError.ts"
import type { PortalOptions } from "./callOptions.ts"

export type PortalError = PolarError | StoreError | NoCustomer | CustomerShared | MemberNeeded | TooManySessions

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
}

/** More customers of one user's are asked for no more. */
const mostCustomers = 5

export const makePortal = ({ client, store }: Ports) => {
  /** The user's customers, the likeliest first: the linked one, those of what is live, those of what was. */
  const customersOf = (userId: UserId) =>
    Effect.gen(function* () {
      const linked = yield* store.customerOf(userId)
      const subscriptions = [...(yield* store.subscriptionsOf(userId, "all"))].sort(
        (a, b) => Number(b.isLive) - Number(a.isLive) || timeOf(b.createdAt) - timeOf(a.createdAt)
      )
      const orders = [...(yield* store.recordsOf(orderKind, userId))].sort(
        (a, b) => timeOf(b.createdAt) - timeOf(a.createdAt)
      )
      return new Set<CustomerId>([
        ...Option.toArray(linked),
        ...subscriptions.map(({ customer }) => customer.id),
        ...orders.map(({ customerId }) => customerId)
      ])
    })

  /** The member of a team who is the user: by the user's id, by their address, or as the owner. */
  const memberOf = (customerId: CustomerId, userId: UserId, user: Option.Option<User>) =>
    client.listMembers(customerId).pipe(
      Effect.map((members) => {
        const address = Option.getOrUndefined(Option.flatMap(user, ({ email }) => email))?.toLowerCase()
        return Option.fromNullable(
          members.find(({ externalId }) => externalId === userId) ??
            members.find(({ email }) => address !== undefined && email?.toLowerCase() === address)
        )
      }),
      Effect.flatMap(
        Option.match({
          onNone: () => Effect.fail(new MemberNeeded({ userId, customerId, reason: null })),
          onSome: ({ id }) => Effect.succeed(id)
        })
      ),
      Effect.catchTag("PolarForbidden", (error) =>
        Effect.fail(new MemberNeeded({ userId, customerId, reason: error.message }))
      )
    )

  /** None when Polar has deleted the customer. */
  const openFor = (customerId: CustomerId, userId: UserId, { memberId, returnUrl }: PortalOptions) => {
    const open = (member: { readonly memberId?: string; readonly externalMemberId?: string }) =>
      client.createCustomerSession({ customerId, ...member }, returnUrl)
    const asMember =
      memberId === undefined
        ? open({}).pipe(
            // Whoever buys for a team is its owner, whose external id is the customer's, which is the user's.
            Effect.catchIf(isAboutMember, () => open({ externalMemberId: userId })),
            Effect.catchIf(isAboutMember, () =>
              Effect.gen(function* () {
                return yield* open({ memberId: yield* memberOf(customerId, userId, yield* store.findUser(userId)) })
              })
            )
          )
        : open({ memberId })
    return asMember.pipe(
      Effect.asSome,
      Effect.catchIf(
        (error): error is PolarRejected => isAboutCustomer(error) || refusesForeignId(error, customerId),
        () => Effect.succeedNone
      ),
      Effect.catchIf(isAboutMember, (error) =>
        Effect.fail(new MemberNeeded({ userId, customerId, reason: error.message }))
      )
    )
  }

  /** The customer that has the user's id at Polar, unless its address is another than the user's. */
  const customerByUserId = (userId: UserId) =>
    Effect.gen(function* () {
      const address = Option.flatMap(yield* store.findUser(userId), ({ email }) => email)
      return Option.filter(
        yield* client.findCustomerByExternalId(userId),
        ({ email }) => email === null || Option.isNone(address) || email.toLowerCase() === address.value.toLowerCase()
      )
    })

  return (userId: UserId, options: PortalOptions = {}): Effect.Effect<CustomerSession, PortalError> =>
    Effect.gen(function* () {
      const known = yield* customersOf(userId)
      let shared: CustomerId | undefined
      const openUnlessShared = (customerId: CustomerId) =>
        Effect.gen(function* () {
          const users = yield* store.usersOfCustomer(customerId)
          if ([...users].every((id) => id === userId)) return yield* openFor(customerId, userId, options)
          shared ??= customerId
          return Option.none()
        })
      for (const customerId of [...known].slice(0, mostCustomers)) {
        const session = yield* openUnlessShared(customerId)
        if (Option.isSome(session)) return session.value
      }
      const found = yield* customerByUserId(userId)
      const session =
        Option.isSome(found) && !known.has(found.value.id) ? yield* openUnlessShared(found.value.id) : Option.none()
      if (Option.isSome(session)) return session.value
      return yield* shared === undefined
        ? new NoCustomer({ userId })
        : new CustomerShared({ userId, customerId: shared })
    })
}

const isAboutCustomer = (error: unknown): error is PolarRejected => refusesOnly(error, ["customer_id"])

const isAboutMember = (error: unknown): error is PolarRejected =>
  refusesOnly(error, ["member_id", "external_member_id"])

const timeOf = (date: Date | null): number => date?.getTime() ?? 0
