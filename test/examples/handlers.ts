import { polar } from "kavach-polar"

declare const mailer: { send: (userId: string, text: string, options: { idempotencyKey: string }) => Promise<void> }
declare const ledger: { book: (orderId: string, minorUnits: number, deliveryId: string) => Promise<void> }

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  database: { provider: "postgres", url: process.env["DATABASE_URL"] },

  // What `access(userId)` answers became another: by an event, by the clock or by an operator.
  onAccessChange: async (userId, { after }, { id }) => {
    if (after.entitlement === "denied") await mailer.send(userId, after.reason, { idempotencyKey: id })
  },
  onBenefitGranted: async (userId, benefit, { id }) => {
    await mailer.send(userId, `You have ${benefit.description ?? benefit.key}.`, { idempotencyKey: id })
  },
  onPurchase: async (userId, order, { id }) => {
    if (order.billingReason === "purchase") await mailer.send(userId, "Thank you!", { idempotencyKey: id })
  },
  onRefund: async (userId, { stillOwned }, { id }) => {
    if (!stillOwned) await mailer.send(userId, "Your money is on its way back.", { idempotencyKey: id })
  },

  // Polar's own events, by their types.
  on: {
    "order.paid": async ({ event, deliveryId }) => {
      await ledger.book(event.data.id, event.data.total_amount ?? 0, deliveryId)
    }
  }
})
