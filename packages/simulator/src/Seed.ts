/** What there is at the start: an organization, and products. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import * as HashMap from "effect/HashMap"
import { type BenefitInput, benefitOf } from "./BenefitInput.ts"
import type { Discount, Interval, Organization, Product, World } from "./Records.ts"

/**
 * A product to sell. `amount` is in cents for each `count` (1) × `interval`; 0 makes it free. The interval is a month unless
 * given; `null` makes a product that is bought once.
 */
export interface ProductInput {
  /** A version 4 UUID. */
  readonly id: string
  readonly name: string
  readonly amount: number
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
  lifetime: { id: "e149a7bc-ef99-44ac-8929-50de326aabf7", name: "Lifetime", amount: 4900, interval: null }
} as const satisfies Readonly<Record<string, ProductInput>>

/** A discount on what is bought once. */
export interface DiscountInput {
  /** A version 4 UUID. */
  readonly id: string
  readonly name: string
  /** Of the price; 100 makes it free. */
  readonly percent: number
  readonly code?: string | undefined
  readonly metadata?: Metadata | undefined
}

export interface WorldOptions {
  /** What is sold; `Seed.products` unless given. */
  readonly products?: ReadonlyArray<ProductInput> | undefined
  /** None unless given. */
  readonly discounts?: ReadonlyArray<DiscountInput> | undefined
  /** A version 4 UUID. */
  readonly organizationId?: string | undefined
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
  price_amount: input.amount,
  price_currency: input.currency ?? "usd",
  benefit_ids: (input.benefits ?? []).map(({ id }) => id)
})

const discount = (input: DiscountInput, at: EpochMicros): Discount => ({
  id: input.id,
  created_at: at,
  modified_at: null,
  name: input.name,
  code: input.code ?? null,
  metadata: input.metadata ?? {},
  basis_points: Math.round(input.percent * 100)
})

// Always the same for the same product, and never the product's own.
const priceIdOf = (id: string): string => `${id[0] === "d" ? "e" : "d"}${id.slice(1)}`

export const world = (options: WorldOptions, now: EpochMicros): World => {
  const sold: ReadonlyArray<ProductInput> = options.products ?? Object.values(products)
  return {
    origin: options.origin ?? "http://simulator.invalid",
    organization: {
      id: options.organizationId ?? "0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01",
      created_at: now,
      modified_at: null,
      name: "Simulator",
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
      discounts: HashMap.fromIterable((options.discounts ?? []).map((input) => [input.id, discount(input, now)])),
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
    heldRefunds: 0,
    invoices: 0,
    positions: 0
  }
}
