/** What there is at the start: an organization, and products. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import { type EpochMicros, fromMillis } from "@kavach-polar/core/Timestamp"
import * as HashMap from "effect/HashMap"
import { type BenefitInput, benefitOf } from "./BenefitInput.ts"
import type { Discount, Interval, Organization, Price, PriceTiers, Product, World } from "./Records.ts"

interface ProductFields {
  /** A version 4 UUID. */
  readonly id: string
  readonly name: string
  readonly interval?: Interval | null | undefined
  readonly count?: number | undefined
  readonly currency?: string | undefined
  readonly description?: string | undefined
  readonly trial?: { readonly interval: Interval; readonly count: number } | undefined
  readonly metadata?: Metadata | undefined
  readonly archived?: boolean | undefined
  /** What it gives; products may share a benefit. None unless given. */
  readonly benefits?: ReadonlyArray<BenefitInput> | undefined
}

/** What each seat or unit costs in cents; with tiers, what it costs up to and with so many of them. */
export type TiersInput =
  | number
  | {
      /** In order; the last one may go on for ever. */
      readonly tiers: ReadonlyArray<{ readonly upTo?: number | undefined; readonly amount: number }>
      /** Whether each one costs what its own tier says, and not all what the tier of their number says. */
      readonly graduated?: boolean | undefined
      /** The smallest number that is sold; 1 unless given. */
      readonly minimum?: number | undefined
    }

/** One of these is a product's price, in cents for each period. */
export type PriceInput =
  | { /** 0 makes it free. */ readonly amount: number }
  | { readonly perSeat: TiersInput }
  | { readonly perUnit: TiersInput }
  | {
      /** The buyer chooses the amount. */
      readonly chosen: {
        /** 0 unless given. */
        readonly minimum?: number | undefined
        readonly maximum?: number | undefined
        /** What stands there at first. */
        readonly preset?: number | undefined
      }
    }

/**
 * A product to sell. What it costs is for each `count` (1) × `interval`. The interval is a month unless given; `null` makes a
 * product that is bought once.
 */
export type ProductInput = ProductFields & PriceInput

export type { BenefitInput }

/** What is sold unless products are given. */
export const products = {
  free: { id: "0f0e0d0c-0b0a-4908-8706-050403020100", name: "Free", amount: 0 },
  pro: { id: "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60", name: "Pro (monthly)", amount: 1900 },
  team: { id: "b7e2c5d8-40f1-4a6b-8c93-9d0e1f2a3b61", name: "Team (yearly)", amount: 49_000, interval: "year" },
  trial: {
    id: "c3d4e5f6-51a2-4b7c-9da4-ae1f2a3b4c62",
    name: "Pro with a trial",
    amount: 1900,
    trial: { interval: "day", count: 14 }
  },
  lifetime: { id: "e149a7bc-ef99-44ac-8929-50de326aabf7", name: "Lifetime", amount: 4900, interval: null },
  seats: {
    id: "f25ab8cd-00aa-45bd-9a3a-61ef437bbc08",
    name: "Workspace",
    perSeat: {
      tiers: [
        { upTo: 9, amount: 1000 },
        { upTo: 100, amount: 800 }
      ]
    }
  },
  units: {
    id: "036bc9de-11bb-46ce-8b4b-72f0548ccd19",
    name: "Boards",
    perUnit: { tiers: [{ amount: 300 }], minimum: 2 }
  },
  chosen: {
    id: "147cdaef-22cc-47df-8c5c-8301659dde2a",
    name: "Supporter",
    chosen: { minimum: 500, maximum: 50_000, preset: 1000 }
  }
} as const satisfies Readonly<Record<string, ProductInput>>

interface DiscountFields {
  /** A version 4 UUID. */
  readonly id: string
  readonly name: string
  readonly code?: string | undefined
  /** For how many of a subscription's months, or `forever`; for its first period only unless given. */
  readonly months?: number | "forever" | undefined
  /** The ids of the products that it is for; all unless given. */
  readonly products?: ReadonlyArray<string> | undefined
  readonly startsAt?: Date | undefined
  readonly endsAt?: Date | undefined
  readonly maxRedemptions?: number | undefined
  readonly maxRedemptionsPerCustomer?: number | undefined
  readonly metadata?: Metadata | undefined
}

/** What is taken off a price: `percent` of it (100 makes it free), or so many cents of each currency (`{ usd: 500 }`). */
export type DiscountInput = DiscountFields &
  ({ readonly percent: number } | { readonly amounts: Readonly<Record<string, number>> })

/** What buyers can ask for unless discounts are given. */
export const discounts = {
  half: {
    id: "2580ebf0-33dd-48e0-8d6d-941276aeef3b",
    name: "Half off for three months",
    code: "HALF3",
    percent: 50,
    months: 3
  },
  welcome: { id: "3691fc01-44ee-49f1-8e7e-a52387bff04c", name: "Five off", code: "WELCOME5", amounts: { usd: 500 } }
} as const satisfies Readonly<Record<string, DiscountInput>>

export interface WorldOptions {
  /** What is sold; `Seed.products` unless given. */
  readonly products?: ReadonlyArray<ProductInput> | undefined
  /** `Seed.discounts` unless given. */
  readonly discounts?: ReadonlyArray<DiscountInput> | undefined
  /** A version 4 UUID. */
  readonly organizationId?: string | undefined
  /** Who sells, as checkouts say; `Simulator` unless given. */
  readonly organizationName?: string | undefined
  /** Whether a customer may have several subscriptions at a time. False unless given, as at Polar. */
  readonly allowMultipleSubscriptions?: boolean | undefined
  /** For plan changes that do not say; `prorate` unless given, as at Polar. */
  readonly prorationBehavior?: Organization["prorationBehavior"] | undefined
  /** Whether a plan change may `reset` the period, which Polar allows some organizations only. */
  readonly allowReset?: boolean | undefined
  /** For how many days a subscription that is past due keeps its benefits; 0 unless given, as at Polar. */
  readonly benefitGraceDays?: 0 | 2 | 7 | 14 | 21 | undefined
  /** The share of every price that comes on top of it as tax, such as `0.2`; 0 unless given. */
  readonly taxRate?: number | undefined
  /** Where buyers find checkouts and the portal. */
  readonly origin?: string | undefined
}

export const product = (input: ProductInput, at: EpochMicros): Product => ({
  id: input.id,
  created_at: at,
  modified_at: null,
  name: input.name,
  description: input.description ?? null,
  metadata: input.metadata ?? {},
  recurring_interval: input.interval === undefined ? "month" : input.interval,
  recurring_interval_count: input.interval === null ? null : (input.count ?? 1),
  trial_interval: input.trial?.interval ?? null,
  trial_interval_count: input.trial?.count ?? null,
  is_archived: input.archived ?? false,
  price_id: priceIdOf(input.id),
  price: priceOf(input),
  price_currency: input.currency ?? "usd",
  benefit_ids: (input.benefits ?? []).map(({ id }) => id)
})

const priceOf = (input: PriceInput): Price => {
  if ("perSeat" in input) return { amount_type: "seat_based", tiers: tiersOf(input.perSeat) }
  if ("perUnit" in input) return { amount_type: "unit_based", tiers: tiersOf(input.perUnit) }
  if ("amount" in input) return { amount_type: "fixed", price_amount: input.amount }
  const { maximum = null, minimum = 0, preset = null } = input.chosen
  return { amount_type: "custom", minimum_amount: minimum, maximum_amount: maximum, preset_amount: preset }
}

const tiersOf = (input: TiersInput): PriceTiers => {
  const { graduated = false, minimum = 1, tiers } = typeof input === "number" ? { tiers: [{ amount: input }] } : input
  return {
    type: graduated ? "graduated" : "volume",
    tiers: tiers.map(({ amount, upTo = null }) => ({ bound: upTo, unit_amount: amount })),
    minimum
  }
}

const discount = (input: DiscountInput, at: EpochMicros): Discount => {
  const { months } = input
  const common = {
    id: input.id,
    created_at: at,
    modified_at: null,
    name: input.name,
    code: input.code ?? null,
    metadata: input.metadata ?? {},
    starts_at: input.startsAt === undefined ? null : fromMillis(input.startsAt.getTime()),
    ends_at: input.endsAt === undefined ? null : fromMillis(input.endsAt.getTime()),
    max_redemptions: input.maxRedemptions ?? null,
    max_redemptions_per_customer: input.maxRedemptionsPerCustomer ?? null,
    duration: months === undefined ? "once" : months === "forever" ? "forever" : "repeating",
    duration_in_months: typeof months === "number" ? months : null,
    product_ids: input.products ?? []
  } as const
  return "percent" in input
    ? { ...common, type: "percentage", basis_points: Math.round(input.percent * 100) }
    : { ...common, type: "fixed", amounts: input.amounts }
}

// Always the same for the same product, and never the product's own.
const priceIdOf = (id: string): string => `${id[0] === "d" ? "e" : "d"}${id.slice(1)}`

export const world = (options: WorldOptions, now: EpochMicros): World => {
  const sold: ReadonlyArray<ProductInput> = options.products ?? Object.values(products)
  const discountInputs: ReadonlyArray<DiscountInput> = options.discounts ?? Object.values(discounts)
  return {
    origin: options.origin ?? "http://simulator.invalid",
    organization: {
      id: options.organizationId ?? "0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01",
      created_at: now,
      modified_at: null,
      name: options.organizationName ?? "Simulator",
      slug: "simulator",
      allowMultipleSubscriptions: options.allowMultipleSubscriptions ?? false,
      prorationBehavior: options.prorationBehavior ?? "prorate",
      allowReset: options.allowReset ?? false,
      benefitGraceDays: options.benefitGraceDays ?? 0,
      taxRate: options.taxRate ?? 0
    },
    tables: {
      products: HashMap.fromIterable(sold.map((input) => [input.id, product(input, now)])),
      benefits: HashMap.fromIterable(
        sold
          .flatMap(({ benefits = [] }) => benefits)
          .map((input) => [input.id, benefitOf(input, { id: input.id, created_at: now, modified_at: null })])
      ),
      grants: HashMap.empty(),
      discounts: HashMap.fromIterable(discountInputs.map((input) => [input.id, discount(input, now)])),
      redemptions: HashMap.empty(),
      customers: HashMap.empty(),
      members: HashMap.empty(),
      checkouts: HashMap.empty(),
      subscriptions: HashMap.empty(),
      orders: HashMap.empty(),
      refunds: HashMap.empty(),
      licenseKeys: HashMap.empty(),
      keyActivations: HashMap.empty(),
      sessions: HashMap.empty(),
      endpoints: HashMap.empty(),
      events: HashMap.empty(),
      deliveries: HashMap.empty()
    },
    declines: [],
    locks: {},
    heldRefunds: 0,
    invoices: 0,
    positions: 0
  }
}
