import { schema } from "@kavach-polar/adapter-postgres"

export const {
  checkouts,
  customers,
  deliveries,
  jobs,
  migrations,
  notifications,
  orders,
  records,
  refunds,
  subscriptions
} = schema
