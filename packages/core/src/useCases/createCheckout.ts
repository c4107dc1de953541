/**
 * Starting a checkout, so that whatever is bought there comes back to the right user.
 *
 * Polar resolves the buyer by e-mail when the checkout is confirmed, and then drops an unknown `external_customer_id`
 * silently. So the customer is made before the checkout, with the user's id as its external id, and the user's id also
 * travels in the metadata, which Polar copies to the subscription (Polar docs: checkout sessions, customers).
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { PolarClient } from "../polar/PolarClient.ts"
import type { PolarError, PolarRejected } from "../polar/PolarError.ts"
import { userIdMetadataKey } from "../records/PolarObjects.ts"
import type { CheckoutId, CustomerId, Metadata, ProductId, UserId } from "../records/Subscription.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"

export interface CheckoutOptions {
  /** Where the buyer comes back to; `{CHECKOUT_ID}` in it becomes the checkout's id. http(s). */
  readonly successUrl?: string | undefined
  /** Where the checkout's back button leads. http(s). */
  readonly returnUrl?: string | undefined
  /** From the app's own records. Default: what `kavach_users` says. */
  readonly customerEmail?: string | undefined
  readonly customerName?: string | undefined
  readonly discountId?: string | undefined
  readonly allowDiscountCodes?: boolean | undefined
  readonly seats?: number | undefined
  readonly locale?: string | undefined
  /** The origin of the page that embeds the checkout. */
  readonly embedOrigin?: string | undefined
  /** Copied by Polar to the subscription and its first order. At most 49 keys. */
  readonly metadata?: Metadata | undefined
}

export interface Checkout {
  readonly id: CheckoutId
  /** Polar's page: send the buyer there. */
  readonly url: string
}

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  readonly policy: AccessPolicy
  /** Whether anybody is to be told. */
  readonly notify: boolean
}

interface Buyer {
  readonly userId: UserId
  readonly email: Option.Option<string>
  readonly name: Option.Option<string>
}

export const makeCheckout = ({ client, notify, policy, store }: Ports) => {
  const link = (customerId: CustomerId, userId: UserId) =>
    store.linkCustomer({ customerId, userId, linkedBy: "checkout" }, policy, { notify }).pipe(
      Effect.as(Option.some(customerId)),
      Effect.catchTag("CustomerLinkedToAnotherUser", (error) =>
        Effect.as(Effect.logWarning(error.message), Option.none<CustomerId>())
      )
    )

  /** Makes the user's customer, or finds it. None when Polar knows the e-mail as somebody else's, or refuses to say. */
  const makeCustomer = ({ email, name, userId }: Buyer) =>
    Option.match(email, {
      onNone: () => Effect.succeedNone,
      onSome: (address) =>
        client
          .createOrGetCustomer({
            email: address,
            name: Option.getOrUndefined(name),
            externalId: userId,
            metadata: { [userIdMetadataKey]: userId }
          })
          .pipe(
            Effect.flatMap((customer) => link(customer.id, userId)),
            Effect.catchTags({
              CustomerEmailTaken: () => Effect.succeedNone,
              PolarRejected: () => Effect.succeedNone,
              PolarForbidden: (error) =>
                Effect.as(
                  Effect.logWarning(`${error.message} Checkouts go on without a customer made beforehand.`),
                  Option.none<CustomerId>()
                )
            })
          )
    })

  return (
    userId: UserId,
    productId: ProductId,
    options: CheckoutOptions = {}
  ): Effect.Effect<Checkout, PolarError | StoreError> =>
    Effect.gen(function* () {
      const user = yield* store.findUser(userId)
      const buyer: Buyer = {
        userId,
        email: Option.orElse(Option.fromNullable(options.customerEmail), () => Option.flatMap(user, (u) => u.email)),
        name: Option.orElse(Option.fromNullable(options.customerName), () => Option.flatMap(user, (u) => u.name))
      }

      const create = (identity: {
        readonly customerId?: CustomerId
        readonly externalCustomerId?: string
        readonly customerEmail?: string | undefined
        readonly customerName?: string | undefined
      }) =>
        client.createCheckout({
          ...identity,
          products: [productId],
          successUrl: options.successUrl,
          returnUrl: options.returnUrl,
          discountId: options.discountId,
          allowDiscountCodes: options.allowDiscountCodes,
          seats: options.seats,
          locale: options.locale,
          embedOrigin: options.embedOrigin,
          metadata: { ...options.metadata, [userIdMetadataKey]: userId }
        })

      const createWithoutCustomer = create({
        externalCustomerId: userId,
        customerEmail: Option.getOrUndefined(buyer.email),
        customerName: Option.getOrUndefined(buyer.name)
      }).pipe(
        // An address that Polar finds undeliverable only serves to fill in the form: the buyer types another one there.
        Effect.catchIf(
          (error): error is PolarRejected => refusesOnly(error, "customer_email"),
          () => create({ externalCustomerId: userId })
        )
      )

      const createFor = (customerId: Option.Option<CustomerId>) =>
        Option.match(customerId, {
          onNone: () => createWithoutCustomer,
          onSome: (id) => create({ customerId: id })
        })

      const linked = yield* store.customerOf(userId)
      const known = Option.isSome(linked) ? linked : yield* makeCustomer(buyer)
      const session = yield* createFor(known).pipe(
        Effect.catchIf(
          (error): error is PolarRejected => Option.isSome(linked) && refusesOnly(error, "customer_id"),
          // The customer was deleted at Polar, which also freed the external id: make the user a new one.
          () => Effect.flatMap(makeCustomer(buyer), createFor)
        )
      )
      yield* store.recordCheckout({ id: session.id, userId, productId })
      if (Option.isNone(known) && session.customerId !== null) yield* link(session.customerId, userId)
      return { id: session.id, url: session.url }
    })
}

/** Whether Polar's validation found fault with this field of the body and nothing else. */
const refusesOnly = (error: PolarError | StoreError, field: string): boolean =>
  error._tag === "PolarRejected" && error.issues.length > 0 && error.issues.every((issue) => issue.path.includes(field))
