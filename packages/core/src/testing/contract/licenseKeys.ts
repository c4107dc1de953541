import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { licenseKeyKind } from "../../records/LicenseKey.ts"
import { licenseKeyAnswerId, licenseKeyAnswerKind } from "../../records/LicenseKeyAnswer.ts"
import type { RecordReport } from "../../records/RecordReport.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { fromMillis } from "../../values/Timestamp.ts"
import { applyEach, applyOne, type ContractSuite, trusting } from "../ContractSuite.ts"
import { customerDelivery, epoch, type GrantScene, newGrant, orderDelivery } from "../polarDeliveries.ts"
import { StoreDatabase } from "../StoreDatabase.ts"

/** License keys and answers about them: what Polar's API says, and no event carries. */
export const licenseKeys = ({ hasDatabase, it, nextUser }: ContractSuite): void => {
  const newKey = (scene: GrantScene) => {
    const id = randomUUID()
    const answerId = licenseKeyAnswerId(Redacted.make(randomUUID()), undefined)
    const common = {
      benefit_id: scene.benefitId,
      customer_id: scene.customerId,
      display_key: `****-${id.slice(-6)}`,
      usage: 1,
      limit_usage: 3,
      expires_at: "2027-01-01T00:00:00.000Z"
    }
    const activation = { id: randomUUID(), label: `desk of ${id}`, meta: { owner: id } }
    const key = (status: string, seconds: number): RecordReport =>
      Either.getOrThrow(
        licenseKeyKind.read({
          ...common,
          id,
          order_id: scene.orderId,
          sealed_key: `sealed ${id}`,
          status,
          limit_activations: 2,
          activations: [activation],
          read_at: new Date(epoch + seconds * 1000).toISOString()
        })
      )
    const answer = (isValid: boolean, seconds: number): RecordReport =>
      Either.getOrThrow(
        licenseKeyAnswerKind.read({
          ...common,
          id: answerId,
          is_valid: isValid,
          license_key_id: id,
          activation,
          checked_at: new Date(epoch + seconds * 1000).toISOString()
        })
      )
    return { id, answerId, key, answer }
  }
  type Key = ReturnType<typeof newKey>

  const keep = (reports: ReadonlyArray<RecordReport>, seconds: number) =>
    Effect.flatMap(BillingStore, (store) =>
      store.keepAnswers(reports, fromMillis(epoch + seconds * 1000), defaultPolicy)
    )

  const stored = ({ answerId, id }: Key) =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const key = Option.getOrThrow(yield* store.record(licenseKeyKind, id))
      const answer = Option.getOrThrow(yield* store.record(licenseKeyAnswerKind, answerId))
      return { key, answer }
    })

  it.effect("what was asked for later stands, and of one time the last", () =>
    Effect.gen(function* () {
      const one = newKey(newGrant())
      yield* keep([one.key("granted", 10), one.answer(true, 10)], 10)
      yield* keep([one.key("disabled", 20), one.answer(false, 20)], 20)
      yield* keep([one.key("granted", 15), one.answer(true, 15)], 15)
      expect(yield* stored(one)).toMatchObject({
        key: { value: { status: "disabled", readAt: new Date(epoch + 20_000) } },
        answer: { value: { isValid: false, checkedAt: new Date(epoch + 20_000) } }
      })
      yield* keep([one.answer(true, 20)], 20)
      expect(yield* stored(one)).toMatchObject({ answer: { value: { isValid: true } } })
    })
  )

  it.effect("a key is of whoever has what it was bought with, and follows it", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const [buyer, heir] = [nextUser(), nextUser()]
      const scene = newGrant()
      const one = newKey(scene)
      yield* applyOne(orderDelivery(scene, "paid.purchase", { externalId: buyer.id }), trusting)
      yield* keep([one.key("granted", 10), one.answer(true, 10)], 10)
      expect((yield* stored(one)).key.userId).toBe(buyer.id)
      expect(yield* store.recordsOf(licenseKeyKind, buyer.id)).toMatchObject([{ id: one.id, orderId: scene.orderId }])
      yield* store.changeLink(
        { changeId: randomUUID(), action: "move", id: scene.orderId, to: heir.id, by: "the contract" },
        defaultPolicy
      )
      expect((yield* stored(one)).key.userId).toBe(heir.id)
      expect(yield* store.recordsOf(licenseKeyKind, buyer.id)).toEqual([])
    })
  )

  it.effect("of a customer who is deleted nothing of it stays, nor of what is asked after that", () =>
    Effect.gen(function* () {
      const [scene, other] = [newGrant(), newGrant()]
      const [one, another] = [newKey(scene), newKey(other)]
      for (const each of [one, another]) yield* keep([each.key("granted", 10), each.answer(true, 10)], 10)
      const gone = { at: 20, patch: { deleted_at: "2026-12-01T10:00:00Z" } }
      yield* applyEach([customerDelivery(scene, "deleted", gone)])
      const blank = {
        key: { value: { sealedKey: null, displayKey: null, activations: [], status: "granted" } },
        answer: { value: { displayKey: null, activation: null } }
      }
      expect(yield* stored(one)).toMatchObject(blank)
      yield* keep([one.key("granted", 30), one.answer(true, 30)], 30)
      expect(yield* stored(one)).toMatchObject(blank)
      expect(yield* stored(another)).toMatchObject({
        key: { value: { sealedKey: `sealed ${another.id}`, activations: [{ label: `desk of ${another.id}` }] } },
        answer: { value: { activation: { label: `desk of ${another.id}` } } }
      })
      if (!hasDatabase) return
      const rows = JSON.stringify(yield* (yield* StoreDatabase).rows("kavach_polar_records"), (_, value) =>
        typeof value === "bigint" ? String(value) : value
      )
      expect(rows).not.toContain(`desk of ${one.id}`)
      expect(rows).not.toContain(`sealed ${one.id}`)
    })
  )

  it.effect("views show them with columns of their own", () =>
    Effect.gen(function* () {
      if (!hasDatabase) return
      const database = yield* StoreDatabase
      const scene = newGrant()
      const one = newKey(scene)
      yield* keep([one.key("granted", 10), one.answer(true, 10)], 10)
      const rowOf = (view: string, id: string) =>
        Effect.map(
          database.rows(view),
          (rows) => rows.find((row) => row["id"] === id) ?? expect.fail(`${id} in ${view}`)
        )
      const key = yield* rowOf("kavach_polar_license_keys", one.id)
      expect([key["display_key"], Number(key["limit_usage"]), key["status"]]).toEqual([
        `****-${one.id.slice(-6)}`,
        3,
        "granted"
      ])
      const answer = yield* rowOf("kavach_polar_license_answers", one.answerId)
      expect([answer["license_key_id"], answer["benefit_id"], answer["status"]]).toEqual([
        one.id,
        scene.benefitId,
        "valid"
      ])
    })
  )
}
