import { schema } from "@kavach-polar/adapter-postgres"

export const {
  actions,
  benefitGrants,
  benefits,
  checkoutRecords,
  checkouts,
  customerRecords,
  customerSeats,
  customerStates,
  customers,
  deliveries,
  discounts,
  jobs,
  licenseAnswers,
  licenseKeys,
  linkChanges,
  members,
  migrations,
  notifications,
  orders,
  organizations,
  products,
  records,
  refunds,
  subscriptions
} = schema
