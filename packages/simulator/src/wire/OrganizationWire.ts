/** The organization that sells. What the simulator does not act on is as Polar sets it for a new one. */
import type { World } from "../Records.ts"
import { stamped } from "./Fields.ts"

export const organization = ({ organization }: World) => ({
  ...stamped(organization),
  name: organization.name,
  slug: organization.slug,
  avatar_url: null,
  proration_behavior: organization.prorationBehavior,
  allow_customer_updates: true,
  email: null,
  website: null,
  socials: [],
  status: "active",
  details_submitted_at: null,
  onboarding_resubmission_requested_at: null,
  sso_enforced: false,
  default_presentment_currency: "usd",
  default_tax_behavior: "location",
  feature_settings: { reset_proration_behavior_enabled: organization.allowReset },
  subscription_settings: {
    allow_multiple_subscriptions: organization.allowMultipleSubscriptions,
    proration_behavior: organization.prorationBehavior,
    benefit_revocation_grace_period: organization.benefitGraceDays,
    prevent_trial_abuse: false,
    allow_customer_updates: true
  },
  customer_email_settings: Object.fromEntries(emails.map((email) => [email, true])),
  customer_portal_settings: {
    usage: { show: true },
    subscription: { update_seats: true, update_plan: true, pause: false },
    customer: { allow_email_change: false }
  },
  dispute_settings: { auto_accept_below_amount: null },
  embed_hosts: [],
  embed_hosts_enforced: false,
  country: null,
  account_id: null,
  payout_account_id: null,
  capabilities: {
    checkout_payments: true,
    subscription_renewals: true,
    payouts: true,
    refunds: true,
    api_access: true,
    dashboard_access: true
  }
})

const emails = [
  "order_confirmation",
  "payment_method_expiration_reminder",
  "subscription_cancellation",
  "subscription_confirmation",
  "subscription_cycled",
  "subscription_cycled_after_trial",
  "subscription_past_due",
  "subscription_paused",
  "subscription_resumed",
  "subscription_renewal_reminder",
  "subscription_revoked",
  "subscription_trial_conversion_reminder",
  "subscription_uncanceled",
  "subscription_updated"
]
