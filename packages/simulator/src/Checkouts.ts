/** Checkouts: opened by the app, paid or not by the buyer, or expired. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import * as Either from "effect/Either"
import { day, plus } from "./Calendar.ts"
import { type Asked, issuesOf, termsOf } from "./CheckoutTerms.ts"
import * as Customers from "./Customers.ts"
import { discountOf, isFor, isRedeemable } from "./Discounts.ts"
import { isFree } from "./Prices.ts"
import { isRecurring } from "./Products.ts"
import { isDiscountable } from "./Quote.ts"
import type { Address, Checkout, Customer, Interval, Product } from "./Records.ts"
import { type Issue, invalid, issue, notFound, type Refusal, refused, rulesBroken } from "./Refusal.ts"
import type { Step } from "./Step.ts"
import { isBillable } from "./Subscriptions.ts"
import * as Wire from "./Wire.ts"

export type Answer = Either.Either<Checkout, Refusal>

interface Common extends Pick<Asked, "amount" | "seats" | "units"> {
  /** The product must have a price in it. */
  readonly currency?: string | null | undefined
  readonly customer_email?: string | null | undefined
  readonly customer_name?: string | null | undefined
  readonly customer_billing_address?: Address | null | undefined
  readonly customer_ip_address?: string | null | undefined
  readonly is_business_customer?: boolean | null | undefined
  readonly metadata?: Metadata | null | undefined
  readonly customer_metadata?: Metadata | null | undefined
  readonly custom_field_data?: Readonly<Record<string, unknown>> | null | undefined
  readonly discount_id?: string | null | undefined
  readonly allow_discount_codes?: boolean | null | undefined
  readonly require_billing_address?: boolean | null | undefined
  readonly allow_trial?: boolean | null | undefined
  readonly trial_interval?: Interval | null | undefined
  readonly trial_interval_count?: number | null | undefined
  readonly success_url?: string | null | undefined
  readonly return_url?: string | null | undefined
  readonly embed_origin?: string | null | undefined
}

export interface CheckoutInput extends Common, Asked {
  readonly products: ReadonlyArray<string>
  readonly customer_id?: string | null | undefined
  readonly external_customer_id?: string | null | undefined
  readonly subscription_id?: string | null | undefined
}

/** What the app or the buyer changes on an open checkout. */
export interface CheckoutChange extends Common {
  readonly product_id?: string | null | undefined
  /** What the buyer types; `null` takes the discount away. */
  readonly discount_code?: string | null | undefined
}

export const find = (step: Step, id: string): Answer => Either.fromNullable(step.find("checkouts", id), () => notFound)

export const expired = refused(410, "ExpiredCheckoutError", "This checkout session has expired.")

/** The checkout that a buyer's browser sees, who has the client secret. */
export const findBySecret = (step: Step, secret: string): Answer => {
  const checkout = step.all("checkouts").find(({ client_secret }) => client_secret === secret)
  if (checkout === undefined) return Either.left(notFound)
  const over = checkout.status === "expired" || (checkout.status === "open" && checkout.expires_at <= step.now())
  return over ? Either.left(expired) : Either.right(checkout)
}

const priceless = (products: ReadonlyArray<Product>): boolean => products.every(isFree)

export const create =
  (input: CheckoutInput) =>
  (step: Step): Answer => {
    const issues: Array<Issue> = []
    const products = input.products.flatMap((id, index) => {
      const product = step.find("products", id)
      if (product === undefined) issues.push(issue(["products", index], "Product does not exist.", id))
      else if (product.is_archived) issues.push(issue(["products", index], "Product is archived.", id))
      return product === undefined ? [] : [product]
    })
    const [first] = products
    if (first !== undefined) issues.push(...issuesOf(first, input), ...issuesOfCurrency(first, input, ["products", 0]))
    const discount = discountAsked(step, input, first)
    if (Either.isLeft(discount)) issues.push(discount.left)
    if ((input.trial_interval == null) !== (input.trial_interval_count == null)) {
      issues.push(issue("trial_interval", "Interval and count go together.", input.trial_interval))
    }
    const upgraded = step.find("subscriptions", input.subscription_id ?? null)
    if (input.subscription_id != null) {
      if (upgraded === undefined) {
        issues.push(issue("subscription_id", "Subscription does not exist.", input.subscription_id))
      } else if (!isFree(step.get("products", upgraded.product_id))) {
        issues.push(issue("subscription_id", "Only free subscriptions can be upgraded.", input.subscription_id))
      } else if (priceless(products)) {
        issues.push(issue("products", "Only a paid product is an upgrade.", input.products))
      } else if (!products.every(isRecurring)) {
        issues.push(issue("products", "Only a recurring product is an upgrade.", input.products))
      }
    }
    const named = customerOf(step, input, upgraded?.customer_id)
    if (Either.isLeft(named)) issues.push(named.left)
    if (issues.length > 0 || first === undefined || Either.isLeft(named)) return Either.left(rulesBroken(issues))

    const customer = named.right
    const stamp = step.stamp()
    const checkout = step.put("checkouts", {
      ...stamp,
      status: "open",
      client_secret: `polar_c_${step.text(43)}`,
      expires_at: plus(stamp.created_at, day),
      success_url: input.success_url ?? null,
      return_url: input.return_url ?? null,
      embed_origin: input.embed_origin ?? null,
      product_ids: products.map(({ id }) => id),
      product_id: first.id,
      ...termsOf(first, input),
      customer_id: customer?.id ?? null,
      external_customer_id: input.external_customer_id ?? null,
      customer_email: customer?.email ?? input.customer_email ?? null,
      customer_name: customer?.name ?? input.customer_name ?? null,
      customer_billing_address: customer?.billing_address ?? input.customer_billing_address ?? null,
      customer_ip_address: input.customer_ip_address ?? null,
      is_business_customer: input.is_business_customer ?? false,
      allow_discount_codes: input.allow_discount_codes ?? true,
      require_billing_address: input.require_billing_address === true || isFuller(input.customer_billing_address),
      allow_trial: input.allow_trial ?? true,
      trial_interval: input.trial_interval ?? null,
      trial_interval_count: input.trial_interval_count ?? null,
      payment_method_type: null,
      discount_id: Either.getOrElse(discount, () => null) ?? null,
      subscription_id: input.subscription_id ?? null,
      metadata: input.metadata ?? {},
      customer_metadata: input.customer_metadata ?? {},
      custom_field_data: input.custom_field_data ?? {}
    })
    step.emit("checkout.created", Wire.checkout(step.world, checkout))
    return Either.right(checkout)
  }

// More than a country is asked for in full.
const isFuller = (address: Address | null | undefined): boolean =>
  address != null &&
  ([address.line1, address.line2, address.city, address.postal_code].some((part) => part != null) ||
    (address.state != null && address.country !== "US" && address.country !== "CA"))

const issuesOfCurrency = (
  { price_currency }: Product,
  { currency }: Common,
  field: string | ReadonlyArray<string | number>
): ReadonlyArray<Issue> =>
  currency == null || currency === price_currency
    ? []
    : [issue(field, "Product is not available in the specified currency.", currency)]

/** The id of the discount that is asked for; `undefined` when none is, and `null` when there is to be none. */
const discountAsked = (
  step: Step,
  { discount_code, discount_id }: Pick<CheckoutChange, "discount_code" | "discount_id">,
  product: Product | undefined
): Either.Either<string | null | undefined, Issue> => {
  const asked = discount_id ?? discount_code
  const takenAway = discount_id === null || discount_code === null
  if (asked == null || product === undefined) return Either.right(takenAway ? null : undefined)
  const field = discount_id == null ? "discount_code" : "discount_id"
  if (!isDiscountable(product)) {
    return Either.left(issue(field, "Discounts are not applicable to this product.", asked))
  }
  const discount =
    discount_id == null
      ? step.all("discounts").find(({ code }) => code?.toLowerCase() === asked.toLowerCase())
      : discountOf(step.world, discount_id)
  return discount == null || !isFor(discount, product) || !isRedeemable(step.world, discount, step.now())
    ? Either.left(issue(field, "Discount does not exist.", asked))
    : Either.right(discount.id)
}

// An external id that no customer has links nothing yet; the buyer's e-mail address will decide.
const customerOf = (
  step: Step,
  input: CheckoutInput,
  upgradedCustomer: string | undefined
): Either.Either<Customer | undefined, Issue> => {
  const id = upgradedCustomer ?? input.customer_id
  if (id == null) {
    return Either.right(
      input.external_customer_id == null ? undefined : Customers.byExternalId(step, input.external_customer_id)
    )
  }
  return Either.mapLeft(Customers.find(step, id), () => issue("customer_id", "Customer does not exist.", id))
}

/** Writes the change, and tells it. */
export const change = (step: Step, id: string, changes: Partial<Checkout>): Checkout => {
  const checkout = step.update("checkouts", id, changes)
  step.emit("checkout.updated", Wire.checkout(step.world, checkout))
  return checkout
}

const whatChanges = (checkout: Checkout, input: CheckoutChange): Partial<Checkout> => {
  const linked = checkout.customer_id !== null
  return {
    ...(input.product_id == null ? {} : { product_id: input.product_id }),
    // The e-mail address of a customer who is known is not the buyer's to change.
    ...(input.customer_email == null || linked ? {} : { customer_email: input.customer_email }),
    ...(input.customer_name == null ? {} : { customer_name: input.customer_name }),
    ...(input.customer_billing_address == null ? {} : { customer_billing_address: input.customer_billing_address }),
    ...(input.customer_ip_address == null ? {} : { customer_ip_address: input.customer_ip_address }),
    ...(input.is_business_customer == null ? {} : { is_business_customer: input.is_business_customer }),
    ...(input.metadata == null ? {} : { metadata: input.metadata }),
    ...(input.customer_metadata == null ? {} : { customer_metadata: input.customer_metadata }),
    ...(input.custom_field_data == null ? {} : { custom_field_data: input.custom_field_data }),
    ...(input.allow_discount_codes == null ? {} : { allow_discount_codes: input.allow_discount_codes }),
    ...(input.require_billing_address == null ? {} : { require_billing_address: input.require_billing_address }),
    ...(input.allow_trial == null ? {} : { allow_trial: input.allow_trial }),
    ...(input.trial_interval === undefined ? {} : { trial_interval: input.trial_interval }),
    ...(input.trial_interval_count === undefined ? {} : { trial_interval_count: input.trial_interval_count }),
    ...(input.success_url == null ? {} : { success_url: input.success_url }),
    ...(input.return_url == null ? {} : { return_url: input.return_url }),
    ...(input.embed_origin == null ? {} : { embed_origin: input.embed_origin })
  }
}

const given = ({ amount, seats, units }: Pick<Asked, "amount" | "seats" | "units">): Asked => ({
  ...(amount == null ? {} : { amount }),
  ...(seats == null ? {} : { seats }),
  ...(units == null ? {} : { units })
})

/** What has to be right: limits are for the product that they were set for, and were right then. */
const wanted = ({ price }: Product, asked: Asked, { seats, units }: CheckoutChange): Asked => ({
  amount: asked.amount,
  ...(price.amount_type === "seat_based" ? pick(asked, "seats") : { seats }),
  ...(price.amount_type === "unit_based" ? pick(asked, "units") : { units })
})

const pick = (asked: Asked, noun: "seats" | "units"): Asked => ({
  [noun]: asked[noun],
  [`min_${noun}`]: asked[`min_${noun}`],
  [`max_${noun}`]: asked[`max_${noun}`]
})

/** The checkout with these changes, if they are allowed; nothing is told yet. */
export const revised = (step: Step, checkout: Checkout, input: CheckoutChange): Answer => {
  if (checkout.status !== "open") {
    return Either.left(refused(403, "NotOpenCheckout", `This checkout is not open: it is ${checkout.status}.`))
  }
  if (checkout.expires_at <= step.now()) return Either.left(expired)
  if (input.product_id != null && !checkout.product_ids.includes(input.product_id)) {
    return Either.left(invalid("product_id", "Product is not available in this checkout.", input.product_id))
  }
  const product = step.get("products", input.product_id ?? checkout.product_id)
  if (input.product_id != null && product.is_archived) {
    return Either.left(invalid("product_id", "Product is archived.", input.product_id))
  }
  const asked = input.product_id == null ? { ...checkout, ...given(input) } : given(input)
  const fieldIssues = [
    ...issuesOf(product, wanted(product, asked, input)),
    ...issuesOfCurrency(product, input, "currency")
  ]
  if (fieldIssues.length > 0) return Either.left(rulesBroken(fieldIssues))
  const { discount_code, discount_id } = input
  const code = checkout.allow_discount_codes ? discount_code : undefined
  const discount = discountAsked(step, { discount_id, discount_code: code }, product)
  if (Either.isLeft(discount)) return Either.left(rulesBroken([discount.left]))
  const kept = discountOf(step.world, checkout.discount_id)
  const next = {
    ...checkout,
    ...whatChanges(checkout, input),
    ...termsOf(product, asked),
    min_seats: checkout.min_seats,
    max_seats: checkout.max_seats,
    min_units: checkout.min_units,
    max_units: checkout.max_units,
    // One that is not for the product that was chosen is dropped without a word.
    discount_id:
      discount.right === undefined ? (kept !== null && isFor(kept, product) ? kept.id : null) : discount.right
  }
  const customer =
    step.find("customers", next.customer_id) ??
    (next.customer_email === null ? undefined : Customers.byEmail(step, next.customer_email))
  return hasSubscription(step, customer, next)
    ? Either.left(refused(403, "AlreadyActiveSubscriptionError", "You already have an active subscription."))
    : Either.right(next)
}

const hasSubscription = (step: Step, customer: Customer | undefined, checkout: Checkout): boolean =>
  customer !== undefined &&
  isRecurring(step.get("products", checkout.product_id)) &&
  !step.world.organization.allowMultipleSubscriptions &&
  step
    .all("subscriptions")
    .some((other) => other.customer_id === customer.id && isBillable(other) && other.id !== checkout.subscription_id)

export const update =
  (id: string, input: CheckoutChange) =>
  (step: Step): Answer =>
    Either.gen(function* () {
      const checkout = yield* revised(step, yield* find(step, id), input)
      return change(step, id, checkout)
    })

/** Ends a checkout that nobody paid. */
export const expire =
  (id: string) =>
  (step: Step): Answer =>
    Either.flatMap(find(step, id), (checkout) => {
      if (checkout.status !== "open") {
        return Either.left(refused(403, "NotOpenCheckout", `This checkout is not open: it is ${checkout.status}.`))
      }
      const over = step.update("checkouts", id, { status: "expired" })
      step.emit("checkout.expired", Wire.checkout(step.world, over))
      return Either.right(over)
    })
