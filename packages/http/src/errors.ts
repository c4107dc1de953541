/**
 * Everything that a call of a billing, or of a host of ours, rejects with. `_tag` says which it is, whichever entry it comes
 * from: `@kavach-polar/http`, its `standalone` and `kavach-polar` have classes of their own, and only the name is the same.
 */

import type {
  AlreadySubscribed,
  CheckoutNotFound,
  CustomerShared,
  DiscountNotApplicable,
  DocumentUnavailable,
  IdempotencyKeyReused,
  MemberNeeded,
  NoCustomer,
  NoSubscription,
  NothingKnown,
  OrderNotFound,
  ProductNotForSale,
  ReconcileRunning,
  ReconcileTakenOver,
  ReconcileTookTooLong,
  RefundRefused,
  RefundUnderWay,
  SeveralSubscriptions,
  SubscriptionChangeRefused,
  SubscriptionLocked,
  SubscriptionNotFound,
  SubscriptionPaymentFailed,
  TooManySessions
} from "@kavach-polar/core/Billing"
import type { InvalidOption } from "@kavach-polar/core/Options"
import type { PolarError } from "@kavach-polar/core/PolarError"
import type { CustomerLinkedToAnotherUser, StoreError } from "@kavach-polar/core/StoreError"
import type { UserLookupFailed } from "@kavach-polar/core/UserLookupFailed"
import type { PolarConfigError } from "./config/PolarConfig.ts"
import type { MissingPackage, UnsupportedDatabase } from "./host/adapters.ts"
import type { InvalidDatabase } from "./host/createKavach.ts"
import type { InvalidRequest } from "./routes/errorResponse.ts"
import type { InvalidRedirectUrl } from "./routes/redirectUrl.ts"
import type { AlreadyInitialized, Disposed, NotConnected } from "./runtime/lifecycleErrors.ts"

export {
  AlreadySubscribed,
  CheckoutNotFound,
  CustomerShared,
  DiscountNotApplicable,
  DocumentUnavailable,
  IdempotencyKeyReused,
  MemberNeeded,
  NoCustomer,
  NoSubscription,
  NothingKnown,
  OrderNotFound,
  ProductNotForSale,
  ReconcileRunning,
  ReconcileTakenOver,
  ReconcileTookTooLong,
  RefundRefused,
  RefundUnderWay,
  SeveralSubscriptions,
  SubscriptionChangeRefused,
  SubscriptionLocked,
  SubscriptionNotFound,
  SubscriptionPaymentFailed,
  TooManySessions
} from "@kavach-polar/core/Billing"
export { InvalidOption } from "@kavach-polar/core/Options"
export {
  PolarConflict,
  type PolarError,
  PolarForbidden,
  PolarNotConfigured,
  PolarNotFound,
  PolarRateLimited,
  PolarRejected,
  PolarTimeout,
  PolarUnauthorized,
  PolarUnavailable,
  PolarUnexpectedAnswer
} from "@kavach-polar/core/PolarError"
export { CustomerLinkedToAnotherUser, StoreError, type StoreErrorReason } from "@kavach-polar/core/StoreError"
export { UserLookupFailed } from "@kavach-polar/core/UserLookupFailed"
export { PolarConfigError } from "./config/PolarConfig.ts"
export { MissingPackage, UnsupportedDatabase } from "./host/adapters.ts"
export { InvalidDatabase } from "./host/createKavach.ts"
export { InvalidRequest } from "./routes/errorResponse.ts"
export { InvalidRedirectUrl } from "./routes/redirectUrl.ts"
export { AlreadyInitialized, Disposed, NotConnected } from "./runtime/lifecycleErrors.ts"

/**
 * @example
 * import type { PolarBilling, PolarBillingError } from "@kavach-polar/http"
 *
 * export const portal = async (billing: PolarBilling, userId: string) => {
 *   try {
 *     return (await billing.createPortalSession(userId)).url
 *   } catch (thrown) {
 *     const error = thrown as PolarBillingError
 *     switch (error._tag) {
 *       case "PolarRateLimited":
 *       case "StoreError":
 *         return "/try-again-soon"
 *       default:
 *         throw error
 *     }
 *   }
 * }
 */
export type PolarBillingError =
  | AlreadyInitialized
  | AlreadySubscribed
  | CheckoutNotFound
  | MemberNeeded
  | NoCustomer
  | NothingKnown
  | ProductNotForSale
  | TooManySessions
  | UserLookupFailed
  | CustomerLinkedToAnotherUser
  | CustomerShared
  | DiscountNotApplicable
  | Disposed
  | DocumentUnavailable
  | IdempotencyKeyReused
  | InvalidDatabase
  | InvalidOption
  | InvalidRedirectUrl
  | InvalidRequest
  | MissingPackage
  | NotConnected
  | OrderNotFound
  | PolarConfigError
  | PolarError
  | ReconcileRunning
  | ReconcileTakenOver
  | ReconcileTookTooLong
  | RefundRefused
  | RefundUnderWay
  | StoreError
  | NoSubscription
  | SeveralSubscriptions
  | SubscriptionChangeRefused
  | SubscriptionLocked
  | SubscriptionNotFound
  | SubscriptionPaymentFailed
  | UnsupportedDatabase
