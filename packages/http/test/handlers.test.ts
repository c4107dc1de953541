/** Handlers, as an app without Effect gives them: what each is told of signed deliveries, and when it is told again. */
import { readFileSync } from "node:fs"
import { BillingStore } from "@kavach-polar/core"
import { type Polar, type PolarConfig, polar } from "@kavach-polar/http"
import { afterEach, describe, expect, expectTypeOf, test } from "vitest"
import { vary } from "../../core/test/deliveries.ts"
import { deliveryOf, memoryPolar, secret } from "./host.ts"

const open: Array<Polar> = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((billing) => billing.dispose()))
})

const billingOf = (options: Partial<PolarConfig>) => {
  const billing = polar({
    webhookSecret: secret,
    client: memoryPolar().client,
    logLevel: "none",
    store: BillingStore.layerMemory,
    ...options
  })
  open.push(billing)
  return billing
}

/** A body of `test/fixtures/polar-webhooks-commerce`. */
const commerce = (name: string): ReturnType<JSON["parse"]> =>
  JSON.parse(
    readFileSync(new URL(`../../../test/fixtures/polar-webhooks-commerce/${name}.json`, import.meta.url), "utf8")
  )

const at = (second: number) => `2026-12-01T00:00:0${second}Z`

const subscription = (name: string, second: number, data: Readonly<Record<string, unknown>> = {}) =>
  deliveryOf(vary(`subscription.${name}`, { timestamp: at(second), data }))

describe("on", () => {
  test("an event is given with its data, its user and its delivery; one that throws is called again", async () => {
    const seen: Array<unknown> = []
    const all: Array<string> = []
    const billing = billingOf({
      externalIds: "trust",
      on: {
        "subscription.active": ({ attempt, deliveryId, event, signal, userId }) => {
          expectTypeOf(event.type).toEqualTypeOf<"subscription.active">()
          expectTypeOf(event.data.current_period_end).not.toBeNever()
          seen.push([attempt, event.type, event.data.id, userId, deliveryId, signal.aborted])
          if (attempt === 1) throw new Error("not yet")
        },
        "*": ({ event }) => {
          all.push(event.type)
        }
      }
    })
    const request = subscription("active", 1)
    const deliveryId = request.headers.get("webhook-id")
    expect((await billing.webhook(request)).status).toBe(200)
    expect((await billing.webhook(subscription("updated", 2))).status).toBe(200)
    await billing.settled()
    expect(all).toEqual(["subscription.active", "subscription.updated"])
    const id = "3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67"
    expect(seen).toEqual([[1, "subscription.active", id, "usr_1042", deliveryId, false]])
    await expect
      .poll(() => seen, { timeout: 20_000 })
      .toEqual([
        [1, "subscription.active", id, "usr_1042", deliveryId, false],
        [2, "subscription.active", id, "usr_1042", deliveryId, false]
      ])
  }, 30_000)

  test("a replay tells an event again where that is asked for, and not else", async () => {
    const seen: Array<string> = []
    const billing = billingOf({
      externalIds: "trust",
      on: {
        "subscription.active": ({ event }) => {
          seen.push(event.type)
        }
      }
    })
    await billing.webhook(subscription("active", 1))
    await billing.settled()
    await billing.replay()
    await billing.settled()
    expect(seen).toHaveLength(1)
    await billing.replay({}, { tellAgain: true, dryRun: true })
    await billing.settled()
    expect(seen).toHaveLength(1)
    await billing.replay({ types: ["subscription.active"] }, { tellAgain: true })
    await billing.settled()
    expect(seen).toHaveLength(2)
  })

  test("a name that is no type of Polar's is refused, and the nearest is named", () => {
    expect(() =>
      billingOf({
        on: {
          // @ts-expect-error There is no such type.
          "order.payed": () => {}
        }
      })
    ).toThrow(/on\.order\.payed.*Did you mean order\.paid/)
  })
})

describe("changes", () => {
  test("access is told when it flips, and not when it is only said again", async () => {
    const told: Array<string> = []
    const billing = billingOf({
      externalIds: "trust",
      onAccessChange: (userId, { after, before, cause }) => {
        told.push(`${userId}: ${before.entitlement} -> ${after.entitlement} by ${cause.by}`)
      }
    })
    await billing.webhook(subscription("active", 1))
    await billing.webhook(subscription("updated", 2))
    await billing.webhook(subscription("revoked", 3))
    await billing.settled()
    expect(told).toEqual(["usr_1042: denied -> granted by event", "usr_1042: granted -> denied by event"])
    expect((await billing.access("usr_1042")).entitlement).toBe("denied")
  })

  test("a purchase, its refund and its benefit are told their user", async () => {
    const told: Array<unknown> = []
    const billing = billingOf({
      externalIds: "trust",
      onPurchase: (userId, order) => {
        told.push(["paid", userId, order.billingReason, order.totalAmount])
      },
      onRefund: (userId, { amount, isFull, order, stillOwned, total }) => {
        told.push(["refunded", userId, order.status, amount, total, isFull, stillOwned])
      },
      onBenefitGranted: (userId, benefit) => {
        told.push(["granted", userId, benefit.type])
      },
      onBenefitRevoked: (userId, benefit) => {
        told.push(["revoked", userId, benefit.type])
      }
    })
    const customer = { id: "c", external_id: "usr_7", email: "seven@example.test" }
    const order = (second: number, data: Readonly<Record<string, unknown>>) =>
      deliveryOf(
        vary("order.paid.purchase", {
          timestamp: at(second),
          data: { id: "o", customer_id: "c", customer, checkout_id: null, ...data }
        })
      )
    const grant = (second: number, data: Readonly<Record<string, unknown>> = {}) => {
      const body = commerce("benefit_grant.created.feature_flag")
      const ids = { id: "g", benefit_id: "b", customer_id: "c", customer, order_id: "o", subscription_id: null }
      const sent = { ...body, timestamp: at(second), data: { ...body.data, ...ids, ...data } }
      return deliveryOf(new TextEncoder().encode(JSON.stringify(sent)))
    }
    await billing.webhook(order(1, { refunded_amount: 0 }))
    await billing.settled()
    expect(told).toEqual([["paid", "usr_7", "purchase", expect.any(Number)]])
    await billing.webhook(grant(2))
    await billing.settled()
    expect(told.at(-1)).toEqual(["granted", "usr_7", "feature_flag"])
    await billing.webhook(order(3, { status: "refunded", refunded_amount: 900 }))
    await billing.webhook(grant(4, { is_granted: false, is_revoked: true }))
    await billing.settled()
    expect(told.slice(2)).toEqual(
      expect.arrayContaining([
        ["refunded", "usr_7", "refunded", 900, 900, true, false],
        ["revoked", "usr_7", "feature_flag"]
      ])
    )
    expect(told).toHaveLength(4)
  })
})
