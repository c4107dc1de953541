/**
 * Starting a checkout, so that whatever is bought there comes back to the right user.
 *
 * What says whose it is, is our own record of the checkout. The user's id also travels in the metadata, which Polar copies to
 * the subscription. Polar itself resolves the buyer by e-mail when the checkout is confirmed, and then drops an unknown
 * `external_customer_id` silently (Polar docs: checkout sessions, customers). So the customer is made before the checkout, with
 * the user's id as its external id, where the app says that the address is the user's own. Elsewhere the address only fills in
 * the form, where the buyer can change it, and takes hold of no customer.
 */
import type * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { CheckoutSession, CreateCheckout, PolarClient } from "../polar/PolarClient.ts"
import type { PolarError, PolarRejected } from "../polar/PolarError.ts"
import { isRejected, refusalOf, refusesForeignId, refusesOnly } from "../polar/refusedFields.ts"
import { withoutRefused } from "../polar/withoutRefused.ts"
import {
  externalReferenceMetadataKey,
  recordedMetadataKey,
  recordedMetadataValue,
  userIdMetadataKey
} from "../records/PolarObjects.ts"
import type { CheckoutId, CustomerId, ProductId, User, UserId } from "../records/Subscription.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { HandlerNames } from "../rules/handlers.ts"
import { isSameAddress } from "../rules/identity.ts"
import { type Buyer, type EmailVerified, verifiedAddress } from "../rules/verifiedAddress.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { type AlreadySubscribed, DiscountNotApplicable, ProductNotForSale, type TooManySessions } from "./BuyerError.ts"
import { alreadySubscribed, isFree, makeRefuseSecond, standingAt, upgradeOr } from "./besideSubscription.ts"
import type { CheckoutOptions } from "./checkoutOptions.ts"
import { SubscriptionNotFound } from "./SubscriptionError.ts"

/**
 * @example
 * const { id, url } = await billing.createCheckout("user_1", productId)
 */
export interface Checkout {
  readonly outcome: "checkout"
  readonly id: CheckoutId
  /** Polar's page: send the buyer there. */
  readonly url: string
}

export type CheckoutError =
  | PolarError
  | StoreError
  | ProductNotForSale
  | DiscountNotApplicable
  | AlreadySubscribed
  | SubscriptionNotFound
  | TooManySessions

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  readonly policy: AccessPolicy
  /** Whether anybody is to be told. */
  readonly handlers: HandlerNames
  readonly emailVerified: EmailVerified | undefined
  readonly trialOncePerUser: boolean
}

/** What Polar is told of the buyer. */
type Identity = Pick<
  CreateCheckout,
  "customerId" | "externalCustomerId" | "customerEmail" | "customerName" | "subscriptionId"
>

export const makeCheckout = ({ client, emailVerified, handlers, policy, store, trialOncePerUser }: Ports) => {
  const refuseSecond = makeRefuseSecond(client)

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

  // An address that Polar finds undeliverable, and a name, only serve to fill in the form: the buyer types others there. Where
  // the buyer is, Polar asks too.
  const openCheckout = withoutRefused(client.createCheckout, [
    ["customerEmail", "customer_email"],
    ["customerName", "customer_name"],
    ["customerIpAddress", "customer_ip_address"]
  ])

  /** The id of the discount that is named by its code. */
  const discountOf = ({ discountCode, discountId }: CheckoutOptions) =>
    discountCode === undefined
      ? Effect.succeed(discountId)
      : Effect.flatMap(
          client.findDiscount(discountCode),
          Option.match({
            onNone: () =>
              new DiscountNotApplicable({ discount: discountCode, reason: "Polar has none with this code" }),
            onSome: (id) => Effect.succeed(id)
          })
        )

  /** Opens the checkout as the user's own customer's where there is one, and else with what is known filled in. */
  const openFor = (
    userId: UserId,
    user: Option.Option<User>,
    options: CheckoutOptions,
    create: (identity: Identity) => Effect.Effect<CheckoutSession, PolarError>
  ) =>
    Effect.gen(function* () {
      const buyer: Buyer = {
        id: userId,
        saidToBeVerified: options.customerEmail === undefined ? undefined : options.customerEmailVerified,
        email: Option.orElse(Option.fromNullable(options.customerEmail), () => Option.flatMap(user, (u) => u.email)),
        name: Option.orElse(Option.fromNullable(options.customerName), () => Option.flatMap(user, (u) => u.name))
      }
      const verified = verifiedAddress(buyer, user, emailVerified)

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
      return yield* createFor(known).pipe(
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
    })

  return (
    userId: UserId,
    products: Arr.NonEmptyReadonlyArray<ProductId>,
    options: CheckoutOptions = {}
  ): Effect.Effect<Checkout, CheckoutError> =>
    Effect.gen(function* () {
      const [productId] = products
      const user = yield* store.findUser(userId)
      const subscriptions = yield* store.subscriptionsOf(userId, "all")
      const standing = standingAt(subscriptions, yield* Clock.currentTimeMillis)
      const same = standing.find((one) => (products as ReadonlyArray<string>).includes(one.productId))
      if (same !== undefined && options.ifSubscribed !== "buy") return yield* alreadySubscribed(userId, same)

      const hadTrial = trialOncePerUser && subscriptions.some(({ trialStart }) => trialStart !== null)
      const trial = hadTrial ? false : options.trial
      const discountId = yield* discountOf(options)

      const create = (identity: Identity) =>
        openCheckout({
          ...takenAsTheyAre(options),
          ...identity,
          products,
          discountId,
          allowTrial: trial === false ? false : undefined,
          trial: trial === false ? undefined : trial,
          metadata: {
            ...options.metadata,
            ...(options.externalReference === undefined
              ? {}
              : { [externalReferenceMetadataKey]: options.externalReference }),
            [userIdMetadataKey]: userId,
            [recordedMetadataKey]: recordedMetadataValue
          }
        })

      const open = openFor(userId, user, options, create)
      const upgrade = (subscriptionId: string) => create({ subscriptionId })
      const named = options.subscriptionId?.toLowerCase()
      const opened: Effect.Effect<CheckoutSession, CheckoutError> =
        named === undefined
          ? Effect.gen(function* () {
              const newest = Option.fromNullable(standing[0])
              const { session, upgrades } = yield* upgradeOr(newest, upgrade, open)
              if (!upgrades) yield* refuseSecond(userId, productId, newest, session)
              return session
            })
          : Effect.gen(function* () {
              const own = subscriptions.find(({ id }) => id === named)
              if (own === undefined) return yield* new SubscriptionNotFound({ userId, subscriptionId: named })
              if (!isFree(own) && own.amount !== null) return yield* alreadySubscribed(userId, own)
              return yield* upgrade(named)
            })
      const session = yield* Effect.catchIf(opened, isRejected, (error) =>
        Effect.fail(refusalNamed(error, productId, options))
      )
      yield* store.recordCheckout({ id: session.id, userId, productId }, policy, { handlers })
      return { outcome: "checkout", id: session.id, url: session.url }
    })
}

/** What Polar is given as the app has said it. */
const takenAsTheyAre = (options: CheckoutOptions) => {
  const {
    customerEmail: _email,
    customerEmailVerified: _verified,
    customerName: _name,
    discountCode: _code,
    externalReference: _reference,
    ifSubscribed: _ifSubscribed,
    reuse: _reuse,
    subscriptionId: _subscriptionId,
    trial: _trial,
    ...taken
  } = options
  return taken
}

/** What the refusal is called when it is about the product, or the discount. */
const refusalNamed = (
  error: PolarRejected,
  productId: ProductId,
  { discountCode, discountId }: CheckoutOptions
): PolarRejected | ProductNotForSale | DiscountNotApplicable => {
  const ofProduct = refusalOf(error, "products")
  if (ofProduct !== undefined) return new ProductNotForSale({ productId, reason: ofProduct })
  const ofDiscount = refusalOf(error, "discount_id")
  const discount = discountCode ?? discountId
  return ofDiscount === undefined || discount === undefined
    ? error
    : new DiscountNotApplicable({ discount, reason: ofDiscount })
}
