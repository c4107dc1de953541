import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { sqlName, views } from "../../adapter/tables.ts"
import { checkoutKind } from "../../records/Checkout.ts"
import { customerKind } from "../../records/Customer.ts"
import { customerSeatKind } from "../../records/CustomerSeat.ts"
import { customerStateKind } from "../../records/CustomerState.ts"
import type { Delivery } from "../../records/Delivery.ts"
import { discountKind } from "../../records/Discount.ts"
import type { Kind, ViewColumn } from "../../records/Kind.ts"
import { kinds } from "../../records/kinds.ts"
import { memberKind } from "../../records/Member.ts"
import type { RecordReport } from "../../records/RecordReport.ts"
import { CheckoutId, CustomerId, ProductId, type User, type UserId } from "../../records/Subscription.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { allNotifications, applyEach, applyOne, type ContractSuite, recorded, trusting } from "../ContractSuite.ts"
import { fixtureDelivery, fixturesOf, type GrantScene, newGrant, orderDelivery } from "../polarDeliveries.ts"
import { StoreDatabase } from "../StoreDatabase.ts"

/** All records that a delivery carries: a customer's state comes with the customer. */
const reportsIn = ({ content }: Delivery): ReadonlyArray<RecordReport> => {
  if (content._tag === "RecordEvent") return [content.report]
  if (content._tag !== "CustomerEvent") throw new Error(`a ${content._tag} carries no record`)
  return [content.report, ...(content.state === null ? [] : [content.state])]
}

/** What a view must show. */
interface Stands {
  readonly what: string
  readonly id: string
  readonly userId: string | null
  readonly report: RecordReport
}

/** Of the merchant's things, which have no user. */
const ofNobody: ReadonlySet<string> = new Set(["benefit", "product", "discount", "organization"])

const link = ({ customerId }: Pick<GrantScene, "customerId">, { id }: User) =>
  Effect.flatMap(BillingStore, (store) =>
    store.linkCustomer({ customerId: CustomerId.make(customerId), userId: id, linkedBy: "host" }, defaultPolicy)
  )

const stored = <A>(kind: Kind<A>, id: string) =>
  Effect.flatMap(BillingStore, (store) => Effect.map(store.record(kind, id), Option.getOrThrow))

const ownerOf = (kind: Kind<unknown>, id: string) => Effect.map(stored(kind, id), ({ userId }) => userId)

/** Every order in which three can arrive. */
const orders = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0]
] as const

/** What a view shows, whatever the type of its column. */
const shown = (value: unknown, type: ViewColumn["type"]): unknown => {
  if (value === null || value === undefined) return null
  switch (type) {
    case "text":
      return String(value)
    case "integer":
      return Number(value)
    case "flag":
      return value === true || value === "true" || Number(value) === 1
    case "time": {
      if (value instanceof Date) return value.getTime()
      const text = String(value)
      return Math.floor(Date.parse(text.includes("T") ? text : `${text.replace(" ", "T")}Z`))
    }
  }
}

/** Each kind as Polar sends it, and what is made of it. */
export const allKinds = ({ hasDatabase, it, nextUser }: ContractSuite): void => {
  for (const { eventTypes, name: prefix } of kinds.filter((kind) => kind.eventTypes.length > 0)) {
    const told =
      prefix === "subscription"
        ? "and is told"
        : prefix === "customer"
          ? "and only the subscriptions that it lists are told"
          : "and is not told"
    it.effect(`${prefix}: whatever Polar sends is stored, has its owner, is read by its view, ${told}`, () =>
      Effect.gen(function* () {
        const database = yield* StoreDatabase
        const stands: Array<Stands> = []
        const users = new Set<string>()
        let listed = 0
        const names = fixturesOf(prefix)
        expect(names.length).toBeGreaterThanOrEqual(eventTypes.length - (prefix === "subscription" ? 1 : 0))
        for (const name of names) {
          const user = nextUser()
          users.add(user.id)
          const scene = newGrant()
          const id = prefix === "customer" ? scene.customerId : randomUUID()
          yield* link(scene, user)
          const sent = fixtureDelivery(`${prefix}.${name}`, id, scene, { externalId: user.id })
          yield* applyOne(sent, trusting)
          if (sent.content._tag === "CustomerEvent") {
            listed += sent.content.listed.filter(({ kind }) => kind === "subscription").length
          }
          for (const report of reportsIn(sent)) {
            const kind = kinds.find((one) => one.name === report.kind) ?? expect.fail()
            const what = `${kind.name}, of ${prefix}.${name}`
            // A seat that was taken from somebody says no more whose customer they were.
            const isOwned = !ofNobody.has(kind.name) && (report.customer.id !== null || report.metadataUserId !== null)
            const record = yield* stored(kind, id)
            const isForgotten = name === "deleted" && prefix === "customer"
            if (!isForgotten) expect(record.value, what).toEqual(Option.getOrThrow(kind.fromStored(report.data)))
            expect(record.userId, what).toBe(isOwned ? user.id : null)
            stands.push({ what, id, userId: record.userId, report })
          }
        }
        const tellings = (yield* allNotifications).filter(({ userId }) => users.has(userId))
        expect(tellings).toHaveLength(prefix === "subscription" ? names.length : listed)
        if (!hasDatabase) return
        for (const { columns, fields, kind, name } of views) {
          const here = stands.filter(({ report }) => report.kind === kind)
          if (here.length === 0) continue
          const rows = new Map((yield* database.rows(name)).map((row) => [row["id"], row]))
          for (const { id, report, userId, what } of here) {
            const row = rows.get(id) ?? expect.fail(`${what}, is not in ${name}`)
            expect([row["user_id"], row["customer_id"], row["status"], Boolean(Number(row["live"]))], what).toEqual([
              userId,
              report.customer.id,
              report.status,
              report.live
            ])
            for (const column of columns) expect(row, what).toHaveProperty(sqlName(column))
            const data = JSON.parse(String(row["data"]))
            for (const { key, name: column, type } of fields) {
              const [is, mustBe] = [shown(row[column], type), shown(data[key], type)]
              // PostgreSQL's columns of time round what is below a millisecond, and others cut it off.
              if (type === "time" && mustBe !== null) expect(Number(is) - Number(mustBe), what).toSatisfy(atMostOne)
              else expect(is, `${what}, ${column}`).toBe(mustBe)
            }
          }
        }
      })
    )
  }

  it.effect("a checkout is its maker's, whoever's customer it becomes, and opens or closes nobody's portal", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      for (const recordedFirst of [true, false]) {
        const [buyer, holder] = [nextUser(), nextUser()]
        const scene = newGrant()
        yield* link(scene, holder)
        const record = store.recordCheckout(
          {
            id: CheckoutId.make(scene.checkoutId),
            userId: buyer.id,
            productId: ProductId.make(scene.productId)
          },
          defaultPolicy
        )
        if (recordedFirst) yield* record
        // The buyer has typed an address that another user's customer has.
        yield* applyOne(fixtureDelivery("checkout.updated.confirmed", scene.checkoutId, scene))
        if (!recordedFirst) yield* record
        expect(yield* ownerOf(checkoutKind, scene.checkoutId)).toBe(buyer.id)
        const users = yield* store.usersOfCustomer(CustomerId.make(scene.customerId))
        expect([...users]).toEqual([holder.id])
      }
    })
  )

  it.effect("of a visitor at a checkout nothing is kept that names them", () =>
    Effect.gen(function* () {
      const scene = newGrant()
      const sent = fixtureDelivery("checkout.created.trial", scene.checkoutId, scene)
      expect(sent.body).toContain("ada.martin@acme-mail.dev")
      expect(yield* applyOne(sent)).toMatchObject({ state: "applied", userId: null })
      const { value } = yield* stored(checkoutKind, scene.checkoutId)
      expect(value).toMatchObject({ customerId: null, customerEmail: null, customerName: null, customFieldData: {} })
      const known = fixtureDelivery("checkout.updated.confirmed", scene.checkoutId, scene, { at: 1 })
      yield* applyOne(known)
      expect((yield* stored(checkoutKind, scene.checkoutId)).value).toMatchObject({
        status: "confirmed",
        customerEmail: "ada.martin@acme-mail.dev"
      })
    })
  )

  it.effect("a checkout whose payment failed is open again, whatever order they arrive in", () =>
    Effect.gen(function* () {
      for (const order of orders) {
        const scene = newGrant()
        const history = ["created.purchase", "updated.confirmed", "updated.reopened"].map((name, at) =>
          fixtureDelivery(`checkout.${name}`, scene.checkoutId, scene, { at })
        )
        yield* applyEach(order.flatMap((place) => history[place] ?? []))
        expect((yield* stored(checkoutKind, scene.checkoutId)).value.status, order.join()).toBe("open")
      }
    })
  )

  it.effect("a seat's id comes back to life for somebody else, whatever order they arrive in", () =>
    Effect.gen(function* () {
      for (const order of orders) {
        const scene = newGrant()
        const id = randomUUID()
        const ines = { id: randomUUID(), customer_id: scene.customerId, email: "ines@globex-mail.dev" }
        const history = [
          fixtureDelivery("customer_seat.claimed", id, scene, { at: 1 }),
          fixtureDelivery("customer_seat.revoked", id, scene, { at: 2 }),
          fixtureDelivery("customer_seat.assigned", id, scene, {
            at: 3,
            patch: { member_id: ines.id, member: ines, email: ines.email }
          })
        ]
        yield* applyEach(order.flatMap((place) => history[place] ?? []))
        const { value } = yield* stored(customerSeatKind, id)
        expect(value, order.join()).toMatchObject({ status: "pending", memberId: ines.id, email: ines.email })
      }
    })
  )

  it.effect("a seat is the user's who pays for it, whichever arrives first; of whoever had it nothing stays", () =>
    Effect.gen(function* () {
      for (const orderFirst of [true, false]) {
        const user = nextUser()
        const scene = newGrant()
        const id = randomUUID()
        const order = orderDelivery(scene, "paid.purchase.seats", { externalId: user.id })
        const claimed = fixtureDelivery("customer_seat.claimed.order", id, scene, { at: 1 })
        yield* applyEach(orderFirst ? [order, claimed] : [claimed, order], trusting)
        expect(yield* stored(customerSeatKind, id)).toMatchObject({
          userId: user.id,
          value: { status: "claimed", orderId: scene.orderId, member: { externalId: "usr_2001" } }
        })
        const revoked = fixtureDelivery("customer_seat.revoked.bare", id, scene, {
          at: 2,
          patch: { order_id: scene.orderId, subscription_id: null }
        })
        yield* applyOne(revoked)
        expect(yield* stored(customerSeatKind, id)).toMatchObject({
          userId: user.id,
          value: { status: "revoked", memberId: null, member: null, email: null }
        })
      }
    })
  )

  it.effect("what was deleted stays so against a change of the same time, and a member's name goes with them", () =>
    Effect.gen(function* () {
      const scene = newGrant()
      const [discount, member] = [randomUUID(), randomUUID()]
      const gone = [
        fixtureDelivery("discount.deleted", discount, scene, { at: 1 }),
        fixtureDelivery("member.deleted", member, scene, { at: 1 })
      ]
      const changed = [
        fixtureDelivery("discount.updated", discount, scene, { at: 1 }),
        fixtureDelivery("member.created", member, scene, { at: 1 })
      ]
      for (const deliveries of [
        [...gone, ...changed],
        [...changed, ...gone]
      ]) {
        yield* applyEach(deliveries)
        expect((yield* stored(discountKind, discount)).value.isDeleted).toBe(true)
        expect((yield* stored(memberKind, member)).value).toMatchObject({ isDeleted: true, email: null, name: null })
      }
    })
  )

  it.effect("a customer and what they have are kept by the time of the event", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const scene = newGrant()
      const customer = (name: string, at: number, patch: Readonly<Record<string, unknown>> = {}) =>
        fixtureDelivery(`customer.${name}`, scene.customerId, scene, { at, externalId: user.id, patch })
      const full = customer("state_changed.commerce", 2)
      const [, , empty] = yield* applyEach(
        [customer("created", 1, { name: "Ada" }), full, customer("state_changed.empty", 1), customer("updated", 3)],
        trusting
      )
      expect(empty).toMatchObject({ state: "applied" })
      expect(yield* stored(customerKind, scene.customerId)).toMatchObject({
        userId: user.id,
        value: { name: "Ada Martin-Dupont", externalId: user.id, deletedAt: null }
      })
      // The state of before says nothing against what came later, and a change of the customer's own nothing of what they have.
      const { userId, value } = yield* stored(customerStateKind, scene.customerId)
      expect(userId).toBe(user.id)
      expect(value.grantedBenefits).toHaveLength(6)
      expect(value.activeMeters).toMatchObject([{ consumedUnits: 2150.5, creditedUnits: 60000, balance: 57849.5 }])
      expect(yield* recorded([full.id])).toMatchObject([{ customerId: scene.customerId, state: "applied" }])
    })
  )

  it.effect("of a customer whom Polar has deleted no record names anybody, nor one that comes afterwards", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const scene = newGrant()
      yield* link(scene, user)
      const [seat, member] = [randomUUID(), randomUUID()]
      const before = [
        fixtureDelivery("customer.updated.team", scene.customerId, scene, { at: 1, externalId: user.id }),
        fixtureDelivery("checkout.updated.confirmed", scene.checkoutId, scene, { at: 1 }),
        fixtureDelivery("customer_seat.claimed", seat, scene, { at: 1 }),
        fixtureDelivery("member.created", member, scene, { at: 1 })
      ]
      const after = [
        fixtureDelivery("customer.updated.team", scene.customerId, scene, { at: 2, externalId: user.id }),
        fixtureDelivery("checkout.updated.discount", scene.checkoutId, scene, {
          at: 4,
          patch: { customer_id: scene.customerId, customer_email: "ada.martin@acme-mail.dev" }
        }),
        fixtureDelivery("customer_seat.assigned", seat, scene, { at: 4 }),
        fixtureDelivery("member.updated.role", member, scene, { at: 4 })
      ]
      const namesNobody = Effect.gen(function* () {
        const all = yield* Effect.all([
          stored(customerKind, scene.customerId),
          stored(checkoutKind, scene.checkoutId),
          stored(customerSeatKind, seat),
          stored(memberKind, member)
        ])
        const texts = all.map(({ value }) => JSON.stringify(value))
        expect(texts.filter((text) => /@|Ada|Hugo|Gina|Globex/.test(text))).toEqual([])
        expect(all.map(({ userId }): UserId | null => userId)).toEqual(all.map(() => user.id))
      })
      yield* applyEach(before, trusting)
      yield* applyOne(
        fixtureDelivery("customer.deleted", scene.customerId, scene, { at: 3, externalId: user.id }),
        trusting
      )
      yield* namesNobody
      yield* applyEach(after, trusting)
      yield* namesNobody
      expect((yield* stored(customerKind, scene.customerId)).value.deletedAt).not.toBeNull()
    })
  )
}

const atMostOne = (difference: number): boolean => Math.abs(difference) <= 1
