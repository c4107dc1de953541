/** What `createCheckout` takes, each option with its check: what Polar would refuse in any case is refused before. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { BillingAddress, CustomFieldData, TrialPeriod } from "../polar/PolarApi.ts"
import { ownMetadataPrefix } from "../records/PolarObjects.ts"
import { Metadata } from "../values/ids.ts"
import {
  anyText,
  boolean,
  given,
  group,
  InvalidOption,
  oneOf,
  optional,
  optionsCheck,
  positiveWhole,
  said,
  text,
  wholeNumberBetween
} from "../values/options.ts"

/**
 * @example
 * await billing.createCheckout("user_1", productId, {
 *   customerEmail: "ada@example.com",
 *   customerEmailVerified: true,
 *   customerName: "Ada Martin",
 *   customerIpAddress: "203.0.113.7",
 *   successUrl: "https://app.example.com/welcome?checkout={CHECKOUT_ID}",
 *   returnUrl: "https://app.example.com/plans",
 *   discountCode: "SPRING",
 *   trial: { interval: "day", count: 14 },
 *   currency: "eur",
 *   locale: "fr",
 *   metadata: { campaign: "spring" }
 * })
 *
 * // Seats for a business, with an offer of the app's own. `units`, `minUnits` and `maxUnits` are for what is sold by the unit.
 * await billing.createCheckout("user_1", productId, {
 *   seats: 5,
 *   minSeats: 5,
 *   maxSeats: 50,
 *   discountId,
 *   allowDiscountCodes: false,
 *   isBusinessCustomer: true,
 *   requireBillingAddress: true,
 *   customerBillingName: "Acme SARL",
 *   customerBillingAddress: { country: "FR", line1: "12 rue des Lilas", postalCode: "75011", city: "Paris" },
 *   customerTaxId: "FR83404833048",
 *   customFieldData: { "purchase-order": "PO-17" },
 *   externalReference: "quote-17"
 * })
 *
 * // A price that the buyer chooses, embedded in the app's own page.
 * await billing.createCheckout("user_1", productId, { amount: 2500, embedOrigin: "https://app.example.com", reuse: false })
 *
 * // From a free subscription to a paid one, or from one plan to another.
 * await billing.createCheckout("user_1", productId, { subscriptionId })
 * await billing.createCheckout("user_1", productId, { ifSubscribed: "portal" })
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
  /** The buyer's own address, as the app's server sees it. It decides on the currency and the tax that are shown first. */
  readonly customerIpAddress?: string | undefined
  readonly customerBillingAddress?: BillingAddress | undefined
  /** The name on the invoice, where it is another than the customer's. */
  readonly customerBillingName?: string | undefined
  /** Such as a VAT number. Needs `customerBillingAddress`. */
  readonly customerTaxId?: string | undefined
  /** A business is asked for its billing name and its full address. */
  readonly isBusinessCustomer?: boolean | undefined
  /** Whether the buyer is asked for the full address. Default: only where the tax needs it. */
  readonly requireBillingAddress?: boolean | undefined
  /** Polar's id of a discount that is applied from the start. */
  readonly discountId?: string | undefined
  /** The same by its code, in capitals or not. */
  readonly discountCode?: string | undefined
  /** Whether the buyer may type a discount code. Default: true. */
  readonly allowDiscountCodes?: boolean | undefined
  /** How many seats, 1 to 10,000: for a product that is sold by the seat. */
  readonly seats?: number | undefined
  /** Between which numbers of seats the buyer may choose. */
  readonly minSeats?: number | undefined
  readonly maxSeats?: number | undefined
  /** How many units: for a product that is sold by the unit. */
  readonly units?: number | undefined
  readonly minUnits?: number | undefined
  readonly maxUnits?: number | undefined
  /** In minor units (cents): for a product whose price the buyer chooses. */
  readonly amount?: number | undefined
  /** In lower case, such as `eur`; each price of the product must have it. Default: where the buyer is decides. */
  readonly currency?: string | undefined
  /** `false` sells without the product's trial; a period is in its place. Default: the product's trial. */
  readonly trial?: TrialPeriod | false | undefined
  /** The language of the page, such as `fr` or `pt-BR`. Polar heeds it where the organization has switched that on. */
  readonly locale?: string | undefined
  /** The answers to the product's custom fields, by their slugs. */
  readonly customFieldData?: CustomFieldData | undefined
  /** The origin of the page that embeds the checkout, such as `https://app.example.com`. */
  readonly embedOrigin?: string | undefined
  /**
   * An id of the app's own, such as of a quote. Polar copies it to the subscription and its orders: it is in their `metadata`, as
   * `kavach_external_reference`. 1 to 500 characters.
   */
  readonly externalReference?: string | undefined
  /**
   * Copied by Polar to the subscription and its orders. At most 47 keys of 1 to 40 characters; texts have 1 to 500. Keys that
   * begin with `kavach_` are taken.
   */
  readonly metadata?: Metadata | undefined
  /**
   * The free subscription of the user's that the purchase upgrades. Default: the one that is live, if there is one and Polar takes
   * the product for that.
   */
  readonly subscriptionId?: string
  /**
   * What to do when the user is subscribed to the product, or to another one beside which Polar would refuse it.
   *
   * - `refuse`: fail with `AlreadySubscribed`, which has the current subscription.
   * - `change`: change that subscription to the product, as `subscriptions.change` does. That may charge at once.
   * - `portal`: open Polar's portal instead.
   * - `buy`: sell another subscription to the same product, where the organization allows several.
   *
   * Default: `refuse`.
   */
  readonly ifSubscribed?: "refuse" | "buy" | "change" | "portal" | undefined
  /**
   * Whether somebody who asks for the same again within five minutes gets the same checkout, as long as nothing was bought. Each
   * process knows its own. Default: true.
   */
  readonly reuse?: boolean | undefined
}

/** Polar docs: checkout sessions. */
const mostSeats = 10_000
/** Polar's 50, less those of our own. */
const mostMetadataKeys = 47

const seats = optional(wholeNumberBetween(1, mostSeats, "a whole number of seats"))
const units = optional(positiveWhole("a whole number of units, 1 or more"))
const matching = (pattern: RegExp, message: string) => said(Schema.String.pipe(Schema.pattern(pattern)), message)

const metadataValues = "its keys have 1 to 40 characters, and its values are texts of 1 to 500, numbers and booleans"
const metadata = said(
  Metadata.pipe(
    Schema.filter((given) =>
      Object.entries(given).every(
        ([key, value]) =>
          key.length >= 1 &&
          key.length <= 40 &&
          (typeof value !== "string" || (value.length >= 1 && value.length <= 500))
      )
    )
  ),
  `it must be an object of texts, numbers and booleans: ${metadataValues}`
)

const isOrigin = (value: string): boolean =>
  /^https?:\/\//.test(value) && URL.canParse(value) && new URL(value).origin === value

const isAddress = (value: string): boolean =>
  /^(\d{1,3}\.){3}\d{1,3}$/.test(value) ? value.split(".").every((part) => Number(part) < 256) : isIpv6(value)

const isIpv6 = (value: string): boolean => /^[\da-f:.]+$/i.test(value) && URL.canParse(`http://[${value}]`)

const customFields = said(
  Schema.Record({
    key: Schema.String,
    value: Schema.NullOr(Schema.Union(Schema.String, Schema.Finite, Schema.Boolean, Schema.ValidDateFromSelf))
  }),
  "it must be an object of texts, numbers, booleans, Dates and nulls"
)

const billingAddress = group(
  Schema.Struct({
    country: matching(/^[A-Z]{2}$/, 'it must be the two capitals of a country, such as "FR"'),
    line1: optional(anyText),
    line2: optional(anyText),
    postalCode: optional(anyText),
    city: optional(anyText),
    state: optional(anyText)
  })
)

const trial = said(
  Schema.Union(
    Schema.Literal(false),
    Schema.Struct({
      interval: Schema.Literal("day", "week", "month", "year"),
      count: Schema.Int.pipe(Schema.between(1, 1000))
    })
  ),
  'it must be false, or a period such as { interval: "day", count: 14 }, of 1 to 1000 days, weeks, months or years'
)

const checkoutOptions: Schema.Schema<CheckoutOptions> = Schema.Struct({
  successUrl: optional(anyText),
  returnUrl: optional(anyText),
  customerEmail: optional(anyText),
  customerName: optional(anyText),
  customerEmailVerified: optional(boolean),
  customerIpAddress: optional(
    said(Schema.String.pipe(Schema.filter(isAddress)), "it must be one IP address, and no list of them")
  ),
  customerBillingAddress: optional(billingAddress),
  customerBillingName: optional(anyText),
  customerTaxId: optional(text("a tax id")),
  isBusinessCustomer: optional(boolean),
  requireBillingAddress: optional(boolean),
  discountId: optional(anyText),
  discountCode: optional(text("a discount's code")),
  allowDiscountCodes: optional(boolean),
  seats,
  minSeats: seats,
  maxSeats: seats,
  units,
  minUnits: units,
  maxUnits: units,
  amount: optional(said(Schema.NonNegativeInt, "it must be an amount in minor units, a whole number from 0")),
  currency: optional(matching(/^[a-z]{3}$/, 'it must be a currency in three lower-case letters, such as "eur"')),
  trial: optional(trial),
  locale: optional(matching(/^[a-z]{2,3}(-[a-z\d]{2,8})*$/i, 'it must be a language, such as "fr" or "pt-BR"')),
  customFieldData: optional(customFields),
  embedOrigin: optional(
    said(Schema.String.pipe(Schema.filter(isOrigin)), 'it must be an origin, such as "https://app.example.com"')
  ),
  externalReference: optional(
    said(Schema.String.pipe(Schema.minLength(1), Schema.maxLength(500)), "it must be text of 1 to 500 characters")
  ),
  metadata: optional(metadata),
  // An unset id would be any subscription.
  subscriptionId: given(text("a subscription's id")),
  ifSubscribed: optional(oneOf("refuse", "buy", "change", "portal")),
  reuse: optional(boolean)
})

const call = "createCheckout()"
const checkEach = optionsCheck(call, checkoutOptions)

/** What is wrong with options of which each is right by itself. */
const togetherProblem = (
  options: CheckoutOptions,
  products: number
): readonly [option: string, problem: string] | undefined => {
  const { discountCode, discountId, maxSeats, maxUnits, minSeats, minUnits } = options
  // A change may charge at once: for what the buyer has chosen, and nothing else.
  if (options.ifSubscribed === "change" && products > 1) {
    return ["ifSubscribed", '"change" needs one product: nobody has chosen among several']
  }
  if (discountId !== undefined && discountCode !== undefined) {
    return ["discountCode", "a checkout has one discount: leave out this or discountId"]
  }
  if (options.customerTaxId !== undefined && options.customerBillingAddress === undefined) {
    return ["customerTaxId", "Polar takes a tax id only with customerBillingAddress"]
  }
  const seatsProblem = rangeProblem("Seats", options.seats, minSeats, maxSeats)
  const unitsProblem = rangeProblem("Units", options.units, minUnits, maxUnits)
  if (seatsProblem !== undefined) return ["seats", seatsProblem]
  if (unitsProblem !== undefined) return ["units", unitsProblem]
  const keys = Object.keys(options.metadata ?? {})
  const taken = keys.find((key) => key.startsWith(ownMetadataPrefix))
  if (taken !== undefined) {
    return [`metadata.${taken}`, `keys that begin with ${ownMetadataPrefix} are taken: choose another one`]
  }
  return keys.length > mostMetadataKeys
    ? ["metadata", `it has ${keys.length} keys, and may have ${mostMetadataKeys}`]
    : undefined
}

const rangeProblem = (
  what: "Seats" | "Units",
  chosen: number | undefined,
  least: number | undefined,
  most: number | undefined
): string | undefined => {
  if (least !== undefined && most !== undefined && least > most) return `min${what} is more than max${what}`
  if (chosen === undefined) return undefined
  if (least !== undefined && chosen < least) return `it is less than min${what}`
  return most !== undefined && chosen > most ? `it is more than max${what}` : undefined
}

/** A wrong option is a mistake in the app's code: it dies with an `InvalidOption`. */
export const checkCheckoutOptions = (
  options: CheckoutOptions | undefined,
  products: string | ReadonlyArray<string>
): Effect.Effect<void> =>
  Effect.sync(() => {
    if (options === undefined) return
    checkEach(options)
    const wrong = togetherProblem(options, typeof products === "string" ? 1 : products.length)
    if (wrong !== undefined) throw new InvalidOption({ call, option: wrong[0], problem: wrong[1] })
  })
