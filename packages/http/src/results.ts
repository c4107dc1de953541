/** What calls of a billing take and answer with, for apps that name these types. */
export type { Access, Entitlement } from "@kavach-polar/core/AccessPolicy"
export type {
  AccessOptions,
  ActivateOptions,
  CancelOptions,
  ChangeOptions,
  CheckoutOptions,
  DocumentOptions,
  EraseOptions,
  Erasure,
  GetCheckoutOptions,
  Health,
  HealthCheck,
  LicenseKeyActivated,
  LicenseKeyCheck,
  OrderDocument,
  OrderQuery,
  PauseOptions,
  PersonalData,
  PersonFound,
  PortalOptions,
  RefundOptions,
  RevokeOptions,
  SoldProduct,
  SubscriptionPreview,
  Timeline,
  TimelineEntry,
  TimelineOptions,
  UsersCheckout,
  ValidateOptions,
  WhichSubscription
} from "@kavach-polar/core/Billing"
export type { Order } from "@kavach-polar/core/Order"
export type { Discrepancy, EndpointReport, ReconcileCounts, ReconcileReport } from "@kavach-polar/core/ReconcileReport"
export type { Refund } from "@kavach-polar/core/Refund"
export type { ReplayQuery, ReplayReport } from "@kavach-polar/core/Replay"
export type { Subscription } from "@kavach-polar/core/Subscription"
