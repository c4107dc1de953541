import { schema } from "@kavach-polar/adapter-postgres"

export const {
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
