/** What is documented of an event's `data`, by its type. */
import type { PolarBenefit } from "./Benefit.ts"
import type { PolarBenefitGrant } from "./BenefitGrant.ts"
import type { PolarOrder } from "./Order.ts"
import type { PolarCustomer, PolarSubscription } from "./PolarObjects.ts"
import type { PolarProduct } from "./Product.ts"
import type { PolarRefund } from "./Refund.ts"

/** Whatever else Polar sends, now or later. */
interface Undocumented {
  readonly [field: string]: unknown
}

interface Documented {
  readonly benefit: typeof PolarBenefit.Encoded
  readonly benefit_grant: typeof PolarBenefitGrant.Encoded
  readonly customer: typeof PolarCustomer.Encoded
  readonly order: typeof PolarOrder.Encoded
  readonly product: typeof PolarProduct.Encoded
  readonly refund: typeof PolarRefund.Encoded
  readonly subscription: typeof PolarSubscription.Encoded
}

/** The `data` of an event of this type: JSON as Polar sent it, of which the fields that this package reads have their types. */
export type PolarEventData<Type extends string> = Type extends `${infer Kind}.${string}`
  ? Kind extends keyof Documented
    ? Documented[Kind] & Undocumented
    : { readonly id: string } & Undocumented
  : Undocumented
