/**
 * What is asked of Polar about one order, met by everything that can be wrong with it. The table is the second one of
 * docs/polar-calls.md.
 */
import type { ServeOptions } from "@kavach-polar/simulator"
import { Seed } from "@kavach-polar/simulator"
import { describe, expect, test } from "vitest"
import {
  documented,
  documentedRows,
  email,
  outcome,
  pro,
  type Scene,
  tokenWith,
  userId,
  withScene
} from "./BillingScene.ts"

const lifetime: string = Seed.products.lifetime.id
const unknownOrder = "0f0e0d0c-0b0a-4908-8706-0504030201ff"
const address = { country: "NO", line1: "Storgata 1", postal_code: "0155", city: "Oslo" }
const buyer = { customer_email: email, customer_name: "Ada Martin", customer_billing_address: address }

/** Ada buys, and it is told; the order. */
const bought = async ({ billing, simulator }: Scene, product = lifetime, as: object = buyer) => {
  const { id } = await billing.createCheckout(userId, product, { customerEmail: email })
  await simulator.pay(id, as)
  await simulator.flush()
  const [order = expect.fail("no order")] = await billing.orders.list(userId)
  return order
}

const renewed = async (scene: Scene, days: number): Promise<string> => {
  await bought(scene, pro)
  await scene.simulator.failNextPayment({ forGood: true })
  await scene.simulator.advance(`${days} days`)
  await scene.simulator.flush()
  const order = (await scene.billing.orders.list(userId)).find(
    ({ billingReason }) => billingReason === "subscription_cycle"
  )
  return order?.id ?? expect.fail("no renewal")
}

const refundsAtPolar = async (scene: Scene, orderId: string) =>
  (
    (await scene.api("GET", `/v1/refunds/?order_id=${orderId}`)) as unknown as {
      readonly items: ReadonlyArray<{ readonly id: string; readonly amount: number }>
    }
  ).items

interface Row {
  readonly what: string
  readonly options?: ServeOptions
  /** The order that is asked about. */
  readonly arrange: (scene: Scene) => Promise<string>
  readonly refund?: { readonly amount?: number; readonly revokeBenefits?: boolean }
  /** `made`, or the error's tag. */
  readonly invoice: string
  readonly receipt: string
  readonly refunded: string
}

const one = async (scene: Scene) => (await bought(scene)).id

const rows: ReadonlyArray<Row> = [
  { what: "nothing is wrong", arrange: one, invoice: "made", receipt: "made", refunded: "made" },
  {
    what: "the order is not known here",
    arrange: async () => unknownOrder,
    invoice: "OrderNotFound",
    receipt: "OrderNotFound",
    refunded: "OrderNotFound"
  },
  {
    what: "the buyer's name or address is missing",
    arrange: async (scene) => (await bought(scene, lifetime, { customer_email: email })).id,
    invoice: "DocumentUnavailable",
    receipt: "made",
    refunded: "made"
  },
  {
    what: "the order is not paid yet",
    arrange: (scene) => renewed(scene, 31),
    invoice: "made",
    receipt: "DocumentUnavailable",
    refunded: "RefundRefused"
  },
  {
    what: "the order is void",
    arrange: (scene) => renewed(scene, 60),
    invoice: "DocumentUnavailable",
    receipt: "DocumentUnavailable",
    refunded: "RefundRefused"
  },
  {
    what: "the order cost nothing",
    arrange: async (scene) => (await bought(scene, Seed.products.free.id)).id,
    invoice: "made",
    receipt: "DocumentUnavailable",
    refunded: "RefundRefused"
  },
  {
    what: "all of it was given back already",
    arrange: async (scene) => {
      const { id } = await bought(scene)
      await scene.simulator.refund(id)
      return id
    },
    invoice: "made",
    receipt: "made",
    refunded: "RefundRefused"
  },
  {
    what: "more is asked back than is left",
    arrange: one,
    refund: { amount: 4901 },
    invoice: "made",
    receipt: "made",
    refunded: "RefundRefused"
  },
  {
    what: "the benefits of a subscription are to go",
    arrange: async (scene) => (await bought(scene, pro)).id,
    refund: { revokeBenefits: true },
    invoice: "made",
    receipt: "made",
    refunded: "RefundRefused"
  },
  {
    what: "the token may not write refunds",
    options: tokenWith(),
    arrange: one,
    invoice: "made",
    receipt: "made",
    refunded: "PolarForbidden"
  }
]

describe("calls to Polar about one order", () => {
  test.each(rows)("$what: invoice $invoice, receipt $receipt, refund $refunded", async (row) => {
    await withScene(row.options ?? {}, {}, async (scene) => {
      const { orders } = scene.billing
      const id = await row.arrange(scene)
      const found = {
        invoice: await outcome(orders.invoice(id)),
        receipt: await outcome(orders.receipt(id)),
        refunded: await outcome(orders.refund(id, { reason: "other", idempotencyKey: "row", ...row.refund }))
      }
      expect(found).toEqual({ invoice: row.invoice, receipt: row.receipt, refunded: row.refunded })
    })
  })

  test("the documented table is this one", () => {
    expect(documentedRows("## Calls about one order", 3)).toEqual(
      rows.map(({ invoice, receipt, refunded, what }) => [what, ...[invoice, receipt, refunded].map(documented)])
    )
  })
})

describe("an order's invoice and receipt", () => {
  test("are being written when they are asked for first, and there a moment later", async () => {
    await withScene({}, {}, async (scene) => {
      const { billing, simulator } = scene
      const { id } = await bought(scene)
      for (const document of [billing.orders.invoice, billing.orders.receipt]) {
        expect(await document(id)).toEqual({ pending: true })
        expect(await document(id, { userId })).toEqual({ pending: true })
        await simulator.advance("2 seconds")
        const found = await document(id)
        if (!("url" in found)) expect.fail("it is still being written")
        const page = await fetch(found.url)
        expect(page.status).toBe(200)
        expect(await page.text()).toContain("$49")
      }
    })
  })

  test("are of another user's order not found, and not written", async () => {
    await withScene({}, {}, async (scene) => {
      const { billing, simulator } = scene
      const { id } = await bought(scene)
      for (const document of [billing.orders.invoice, billing.orders.receipt]) {
        await expect(document(id, { userId: "mallory" })).rejects.toMatchObject({ _tag: "OrderNotFound", orderId: id })
        // One that is not set is not "anybody".
        await expect(document(id, { userId: undefined } as never)).rejects.toMatchObject({ _tag: "InvalidOption" })
      }
      await simulator.advance("2 seconds")
      expect(
        await simulator.read(({ tables }) => [...tables.orders].map(([, order]) => order.is_invoice_generated))
      ).toEqual([false])
    })
  })
})

const request = { reason: "customer_request", idempotencyKey: "ticket 7" } as const

describe("a refund", () => {
  test("gives back all that is left, and what it changes is known at once: its webhook changes nothing", async () => {
    await withScene({ taxRate: 0.25 }, {}, async (scene) => {
      const { billing, simulator } = scene
      const { id } = await bought(scene)
      await simulator.refund(id, { amount: 900 })
      await scene.silently(async () => {
        const refund = await billing.orders.refund(id, {
          ...request,
          comment: "He did not like it.",
          revokeBenefits: true
        })
        expect(refund).toMatchObject({
          orderId: id,
          status: "succeeded",
          amount: 4000,
          taxAmount: 1000,
          reason: "customer_request",
          revokeBenefits: true
        })
        expect(structuredClone(refund)).toEqual(refund)
        expect(await billing.orders.get(id)).toMatchObject({ status: "refunded", refundedAmount: 4900 })
        expect(await billing.orders.owns(userId, lifetime)).toBe(false)
      })
      const before = await billing.orders.get(id)
      await simulator.setChaos({ drops: 0 })
      for (const { id: event } of await simulator.read(({ tables }) => [...tables.events].map(([, event]) => event))) {
        await simulator.redeliver(event)
      }
      await simulator.flush()
      expect(await billing.orders.get(id)).toEqual(before)
      expect((await billing.reconcile(userId)).discrepancies).toEqual([])
    })
  })

  test("is one for each key, whoever asks and however often", async () => {
    await withScene({}, {}, async (scene) => {
      const { orders } = scene.billing
      const { id } = await bought(scene)
      const ask = () => orders.refund(id, { ...request, amount: 1000 })
      const answers = await Promise.all([ask(), ask(), ask(), ask()])
      expect(new Set([...answers, await ask()].map((refund) => refund.id)).size).toBe(1)
      await scene.simulator.flush()
      expect(await ask()).toEqual(answers[0])
      expect(await refundsAtPolar(scene, id)).toHaveLength(1)
      const other = await orders.refund(id, { ...request, idempotencyKey: "ticket 8", amount: 1000 })
      expect(other.id).not.toBe(answers[0]?.id)
      expect(await refundsAtPolar(scene, id)).toHaveLength(2)
      // The first key still knows its own.
      expect(await ask()).toEqual(answers[0])
    })
  })

  test("of everything, asked for by many at once with keys of their own, is made once", async () => {
    await withScene({}, {}, async (scene) => {
      const { id } = await bought(scene)
      const asked = await Promise.allSettled(
        ["a", "b", "c"].map((idempotencyKey) => scene.billing.orders.refund(id, { ...request, idempotencyKey }))
      )
      expect(asked.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
      for (const answer of asked) {
        if (answer.status === "rejected") {
          expect(answer.reason).toMatchObject({ _tag: "RefundRefused", reason: "already refunded" })
        }
      }
      expect(await refundsAtPolar(scene, id)).toMatchObject([{ amount: 4900 }])
    })
  })

  test("with a key that was another's is refused, and nothing is given back", async () => {
    await withScene({}, {}, async (scene) => {
      const { orders } = scene.billing
      const { id } = await bought(scene)
      const made = await orders.refund(id, { ...request, amount: 1000 })
      for (const other of [
        { amount: 2000 },
        { amount: 1000, reason: "duplicate" },
        { amount: 1000, revokeBenefits: true }
      ]) {
        await expect(orders.refund(id, { ...request, ...other } as never)).rejects.toMatchObject({
          _tag: "IdempotencyKeyReused",
          refundId: made.id
        })
      }
      expect(await refundsAtPolar(scene, id)).toHaveLength(1)
    })
  })

  test("that is held by the processor is pending, and what it holds is not given back again", async () => {
    await withScene({}, {}, async (scene) => {
      const { billing, simulator } = scene
      const { id } = await bought(scene)
      await simulator.holdNextRefund()
      const held = await billing.orders.refund(id, { ...request, amount: 4000 })
      expect(held.status).toBe("pending")
      expect(await billing.orders.owns(userId, lifetime)).toBe(true)
      expect(await billing.orders.refund(id, { ...request, idempotencyKey: "the rest" })).toMatchObject({ amount: 900 })
      await simulator.settleRefund(held.id, "failed")
      await simulator.flush()
      // The key's refund is that one; another try takes another key.
      expect(await billing.orders.refund(id, { ...request, amount: 4000 })).toMatchObject({
        id: held.id,
        status: "failed"
      })
    })
  })

  test.each([
    ["amount", { ...request, amount: undefined }],
    ["amount", { ...request, amount: 0 }],
    ["amount", { ...request, amount: 10.5 }],
    ["reason", { ...request, reason: "because" }],
    ["idempotencyKey", { reason: "other" }],
    ["idempotencyKey", { ...request, idempotencyKey: "" }],
    ["revokeBenefit", { ...request, revokeBenefit: true }]
  ])("a wrong %s is refused before anybody is asked", async (option, given) => {
    await withScene({}, {}, async ({ billing }) => {
      await expect(billing.orders.refund(unknownOrder, given as never)).rejects.toMatchObject({
        _tag: "InvalidOption",
        call: "orders.refund()",
        option
      })
    })
  })
})
