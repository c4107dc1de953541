/**
 * Starting a checkout, so that whatever is bought there comes back to the right user.
 *
 * What says whose it is, is our own record of the checkout. The user's id also travels in the metadata, which Polar copies to
 * the subscription. Polar itself resolves the buyer by e-mail when the checkout is confirmed, and then drops an unknown
 * `external_customer_id` silently (Polar docs: checkout sessions, customers). So the customer is made before the checkout, with
 * the user's id as its external id, where the app says that the address is the user's own. Elsewhere the address only fills in
 * the form, where the buyer can change it, and takes hold of no customer.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { PolarClient } from "../polar/PolarClient.ts"
import type { PolarError, PolarRejected } from "../polar/PolarError.ts"
import { isRejected, refusalOf, refusesForeignId, refusesOnly } from "../polar/refusedFields.ts"
import { withoutRefused } from "../polar/withoutRefused.ts"
import { recordedMetadataKey, recordedMetadataValue, userIdMetadataKey } from "../records/PolarObjects.ts"
import type { CheckoutId, CustomerId, Metadata, ProductId, UserId } from "../records/Subscription.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { HandlerNames } from "../rules/handlers.ts"
import { isSameAddress } from "../rules/identity.ts"
import { type Buyer, type EmailVerified, verifiedAddress } from "../rules/verifiedAddress.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { type AlreadySubscribed, ProductNotForSale, type TooManySessions } from "./BuyerError.ts"
import { makeBesideSubscription } from "./besideSubscription.ts"

/**
 * @example
 * await billing.createCheckout("user_1", productId, {
 *   customerEmail: "ada@example.com",
 *   customerEmailVerified: true,
 *   customerName: "Ada Martin",
 *   successUrl: "https://app.example.com/welcome?checkout={CHECKOUT_ID}",
 *   returnUrl: "https://app.example.com/plans",
 *   discountId,
 *   allowDiscountCodes: false,
 *   seats: 3,
 *   locale: "fr",
 *   embedOrigin: "https://app.example.com",
 *   metadata: { campaign: "spring" }
 * })
 */
export interface CheckoutOptions {
  /** Where the buyer comes back to; `{CHECKOUT_ID}` in it becomes the checkout's id. http(s). */
  readonly successUrl?: string | undefined
  /** Where the checkout's back button leads. http(s). */
  readonly returnUrl?: string | undefined
  /** From the app's own records. Default: what `kavach_users` says. */
  readonly customerEmail?: string | undefined
  readonly customerName?: string | undefined
  /** Whether `customerEmail` is known to be the user's own. Default: what `kavach_users` says of that address. */
  readonly customerEmailVerified?: boolean | undefined
  readonly discountId?: string | undefined
  readonly allowDiscountCodes?: boolean | undefined
  readonly seats?: number | undefined
  readonly locale?: string | undefined
  /** The origin of the page that embeds the checkout. */
  readonly embedOrigin?: string | undefined
  /** Copied by Polar to the subscription and its first order. At most 48 keys. */
  readonly metadata?: Metadata | undefined
}

export interface Checkout {
  readonly id: CheckoutId
  /** Polar's page: send the buyer there. */
  readonly url: string
}

export type CheckoutError = PolarError | StoreError | ProductNotForSale | AlreadySubscribed | TooManySessions

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  readonly policy: AccessPolicy
  /** Whether anybody is to be told. */
  readonly handlers: HandlerNames
  readonly emailVerified: EmailVerified | undefined
}

export const makeCheckout = ({ client, emailVerified, handlers, policy, store }: Ports) => {
  const beside = makeBesideSubscription({ client, store })

  const link = (customerId: CustomerId, userId: UserId) =>
    store.linkCustomer({ customerId, userId, linkedBy: "checkout" }, policy, { handlers }).pipe(
      Effect.as(Option.some(customerId)),
      Effect.catchTag("CustomerLinkedToAnotherUser", (error) =>
        Effect.as(Effect.logWarning(error.message), Option.none<CustomerId>())
      )
    )

  /**
   * Makes the user's customer, or finds it. None when the address is not known to be theirs, when Polar knows it as somebody
   * else's, or refuses to say.
   */
  const makeCustomer = ({ id: userId, name }: Buyer, verified: Option.Option<string>) =>
    Option.match(verified, {
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
            // One that was found has the user's id and perhaps another address: of another deployment's user of that id.
            Effect.flatMap((customer) =>
              customer.email === null || isSameAddress(customer.email, address)
                ? link(customer.id, userId)
                : Effect.succeedNone
            ),
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

  // An address that Polar finds undeliverable, and a name, only serve to fill in the form: the buyer types others there.
  const openCheckout = withoutRefused(client.createCheckout, [
    ["customerEmail", "customer_email"],
    ["customerName", "customer_name"]
  ])

  return (
    userId: UserId,
    productId: ProductId,
    options: CheckoutOptions = {}
  ): Effect.Effect<Checkout, CheckoutError> =>
    Effect.gen(function* () {
      const user = yield* store.findUser(userId)
      const buyer: Buyer = {
        id: userId,
        saidToBeVerified: options.customerEmail === undefined ? undefined : options.customerEmailVerified,
        email: Option.orElse(Option.fromNullable(options.customerEmail), () => Option.flatMap(user, (u) => u.email)),
        name: Option.orElse(Option.fromNullable(options.customerName), () => Option.flatMap(user, (u) => u.name))
      }

      const verified = verifiedAddress(buyer, user, emailVerified)

      const create = (identity: {
        readonly customerId?: CustomerId
        readonly externalCustomerId?: string
        readonly customerEmail?: string | undefined
        readonly customerName?: string | undefined
        readonly subscriptionId?: string
      }) =>
        openCheckout({
          ...identity,
          products: [productId],
          successUrl: options.successUrl,
          returnUrl: options.returnUrl,
          discountId: options.discountId,
          allowDiscountCodes: options.allowDiscountCodes,
          seats: options.seats,
          locale: options.locale,
          embedOrigin: options.embedOrigin,
          metadata: {
            ...options.metadata,
            [userIdMetadataKey]: userId,
            [recordedMetadataKey]: recordedMetadataValue
          }
        })

      const createForForm = (identity: { readonly externalCustomerId?: string }) =>
        create({
          ...identity,
          customerEmail: Option.getOrUndefined(buyer.email),
          customerName: Option.getOrUndefined(buyer.name)
        })

      // Polar has filled in the form with a customer of that external id. Nothing says that it is this user's: another
      // deployment in the organization may have a user of the same id.
      const createWithoutCustomer = Effect.flatMap(createForForm({ externalCustomerId: userId }), (session) =>
        session.customerId === null ? Effect.succeed(session) : createForForm({})
      )

      const createFor = (customerId: Option.Option<CustomerId>) =>
        Option.match(customerId, {
          onNone: () => createWithoutCustomer,
          onSome: (id) => create({ customerId: id })
        })

      const linked = yield* store.customerOf(userId)
      const known = Option.isSome(linked) ? linked : yield* makeCustomer(buyer, verified)
      const open = createFor(known).pipe(
        Effect.catchIf(
          (error): error is PolarRejected =>
            Option.isSome(known) && (refusesOnly(error, ["customer_id"]) || refusesForeignId(error, known.value)),
          // The customer was deleted at Polar, which also freed the external id: make the user a new one.
          () =>
            Effect.flatMap(makeCustomer(buyer, verified), (made) =>
              createFor(Option.filter(made, (id) => id !== Option.getOrUndefined(known)))
            )
        )
      )
      const current = yield* beside.subscriptionOf(userId)
      const { session, upgrades } = yield* beside
        .upgradeOr(current, (subscriptionId) => create({ subscriptionId }), open)
        .pipe(Effect.catchIf(isRejected, (error) => Effect.fail(forSale(error, productId))))
      if (!upgrades) yield* beside.refuseSecond(userId, productId, current, session)
      yield* store.recordCheckout({ id: session.id, userId, productId }, policy, { handlers })
      return { id: session.id, url: session.url }
    })
}

/** What the refusal is called when it is about the product. */
const forSale = (error: PolarRejected, productId: ProductId): PolarRejected | ProductNotForSale => {
  const reason = refusalOf(error, "products")
  return reason === undefined ? error : new ProductNotForSale({ productId, reason })
}
