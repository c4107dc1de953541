/** What the buyer does on the checkout page: confirms it and pays, or is declined. */
import * as Either from "effect/Either"
import * as BenefitSync from "./BenefitSync.ts"
import * as Checkouts from "./Checkouts.ts"
import * as Customers from "./Customers.ts"
import { isRedeemable, redeem, redemptionsOf } from "./Discounts.ts"
import * as Orders from "./Orders.ts"
import { isRecurring, type RecurringProduct, type Trial, trialOf } from "./Products.ts"
import { cardFor, quoteOf } from "./Quote.ts"
import type { Checkout, Customer, Order, Product, Subscription } from "./Records.ts"
import { invalid, issue, type Refusal, refused, rulesBroken } from "./Refusal.ts"
import type { Step } from "./Step.ts"
import * as Subscriptions from "./Subscriptions.ts"

/** What became of a confirmed checkout. */
export interface Payment {
  readonly outcome: "succeeded" | "declined"
  /** As the buyer's browser sees it when it has confirmed, before the outcome is known. */
  readonly confirmed: Checkout
  readonly checkout: Checkout
  /** Whether the buyer may have a session: not when they only gave the e-mail address of a customer who exists. */
  readonly sessionAllowed: boolean
  /** What was bought; `null` when the charge was declined. */
  readonly order: Order | null
  /** What recurs of it; `null` when nothing does. */
  readonly subscription: Subscription | null
}

/**
 * Confirms the checkout, and charges the card. A declined charge leaves the checkout open, and the customer that was made
 * for it.
 */
export const confirm =
  (id: string, input: Checkouts.CheckoutChange) =>
  (step: Step): Either.Either<Payment, Refusal> =>
    Either.gen(function* () {
      const checkout = yield* Checkouts.revised(step, yield* Checkouts.find(step, id), input)
      const email = checkout.customer_email
      if (email === null) {
        return yield* Either.left(rulesBroken([issue("customer_email", "Field is required.", null)]))
      }
      const product = step.get("products", checkout.product_id)
      const trial = trialOf(product, checkout)
      const quote = quoteOf(step.world, product, checkout)
      const { discount } = quote
      if (discount !== null && !isRedeemable(step.world, discount, step.now())) {
        return yield* Either.left(invalid("discount_id", "Discount is no longer redeemable.", discount.id))
      }
      const card = cardFor(product, quote, trial !== null)
      const asked = card.payment || card.setup
      const confirmed = Checkouts.change(step, id, {
        ...checkout,
        status: "confirmed",
        payment_method_type: asked ? "card" : null
      })
      const sessionAllowed = checkout.customer_id !== null || Customers.byEmail(step, email) === undefined
      const customer = yield* buyerOf(step, confirmed, email)
      const linked = step.put("checkouts", { ...confirmed, customer_id: customer.id })
      const perCustomer = discount?.max_redemptions_per_customer ?? null
      if (
        discount !== null &&
        perCustomer !== null &&
        redemptionsOf(step.world, discount, customer.id) >= perCustomer
      ) {
        return yield* Either.left(
          refused(403, "DiscountRedemptionLimitReached", "You have already used this discount as often as you can.")
        )
      }
      // A card is taken for a trial too, but not charged.
      if (asked && step.charge() !== "paid") {
        const open = Checkouts.change(step, id, { status: "open", payment_method_type: null })
        const nothing = { order: null, subscription: null }
        return { outcome: "declined", confirmed: linked, checkout: open, sessionAllowed, ...nothing } as const
      }
      // For the renewals: a card that pays once is not kept.
      if (card.setup) {
        step.put("customers", { ...customer, default_payment_method_id: step.uuid() })
      }
      // Polar reserves it when the buyer confirms, and releases it when the payment fails: here that is one moment.
      if (discount !== null) redeem(step, discount.id, customer.id)
      const buyer = step.get("customers", customer.id)
      const bought = isRecurring(product)
        ? subscribe(step, linked, buyer, product, trial)
        : purchase(step, linked, buyer, product)
      if (product.price.amount_type === "seat_based") Customers.upgradeToTeam(step, customer.id)
      const succeeded = Checkouts.change(step, id, { status: "succeeded" })
      return { outcome: "succeeded", confirmed: linked, checkout: succeeded, sessionAllowed, ...bought } as const
    })

/**
 * Whose purchase it is. The e-mail address decides before the external id: when it is that of a customer who exists, the
 * purchase is theirs, and the external id of the checkout is dropped without a word.
 */
const buyerOf = (step: Step, checkout: Checkout, email: string): Either.Either<Customer, Refusal> => {
  const linked = step.find("customers", checkout.customer_id)
  if (linked !== undefined && linked.deleted_at !== null) {
    return Either.left(refused(409, "CheckoutCustomerDeleted", "The customer of this checkout has been deleted."))
  }
  const known = linked ?? Customers.byEmail(step, email)
  if (known !== undefined) {
    const updated = step.update("customers", known.id, {
      name: known.name ?? checkout.customer_name,
      billing_address: checkout.customer_billing_address ?? known.billing_address,
      metadata: { ...known.metadata, ...checkout.customer_metadata }
    })
    step.emitCustomer("customer.updated", updated)
    return Either.right(updated)
  }
  const externalId = checkout.external_customer_id
  if (externalId !== null && Customers.byExternalId(step, externalId) !== undefined) {
    return Either.left(
      refused(
        422,
        "CheckoutCustomerExternalIdMismatch",
        "The external ID of this checkout belongs to a customer with another email address."
      )
    )
  }
  return Either.right(
    Customers.add(step, {
      email,
      external_id: externalId,
      name: checkout.customer_name,
      billing_address: checkout.customer_billing_address,
      metadata: checkout.customer_metadata
    })
  )
}

const purchase = (step: Step, checkout: Checkout, customer: Customer, product: Product) => {
  const order = Orders.sell(step, Orders.purchase(step, checkout, customer, product))
  BenefitSync.afterPurchase(step, order)
  return { order, subscription: null }
}

const subscribe = (
  step: Step,
  checkout: Checkout,
  customer: Customer,
  product: RecurringProduct,
  trial: Trial | null
): { readonly order: Order; readonly subscription: Subscription } => {
  const upgraded = step.find("subscriptions", checkout.subscription_id)
  const { discount, discounted } = quoteOf(step.world, product, checkout)
  const begun = { product, trial, checkout, discount_id: discount?.id ?? null }
  const subscription =
    upgraded === undefined
      ? Subscriptions.start(step, { ...begun, customer, metadata: checkout.metadata })
      : Subscriptions.change(
          step,
          upgraded.id,
          {
            ...Subscriptions.firstPeriod(step.world, step.now(), begun),
            checkout_id: checkout.id,
            custom_field_data: checkout.custom_field_data,
            metadata: { ...upgraded.metadata, ...checkout.metadata }
          },
          ["updated"]
        )
  const items =
    trial === null
      ? [Orders.periodItem(step, product, subscription)]
      : [Orders.item(step, product, 0, [subscription.current_period_start, subscription.current_period_end])]
  const reason = upgraded === undefined ? "subscription_create" : "subscription_update"
  const discount_amount = trial === null ? discounted : 0
  const order = Orders.sell(step, Orders.charge(step, subscription, reason, items, { checkout, discount_amount }))
  return { order, subscription }
}
