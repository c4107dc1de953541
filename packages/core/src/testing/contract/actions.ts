import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { BillingStore } from "../../store/BillingStore.ts"
import type { ContractSuite } from "../ContractSuite.ts"

/** The audit trail. */
export const actions = ({ it }: ContractSuite): void => {
  const record = (subject: string | null, action: string, result = "done") =>
    Effect.flatMap(BillingStore, (store) =>
      store.recordAction({ who: "Lin <lin@example.com>", action, subject, detail: '{"dryRun":false}', result })
    )

  it.effect("everything that was done is kept, and is read as it was written", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const subject = randomUUID()
      yield* record(subject, "delivery.replay", `failed: ${"a long reason; ".repeat(200)}`)
      const [kept, ...others] = yield* store.actions({ subject })
      expect(others).toEqual([])
      expect(kept).toEqual({
        id: expect.any(String),
        at: expect.any(Date),
        who: "Lin <lin@example.com>",
        action: "delivery.replay",
        subject,
        detail: '{"dryRun":false}',
        result: `failed: ${"a long reason; ".repeat(200)}`
      })
      yield* store.recordAction({ who: "", action: subject, subject: null, detail: null, result: "done" })
      const [newest] = (yield* store.actions({ limit: 1000 })).filter(({ action }) => action === subject)
      expect(newest).toMatchObject({ who: "", subject: null, detail: null })
    })
  )

  it.effect("the newest comes first, page by page, also those of one time", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const subject = randomUUID()
      // The test clock stands still: they are all of one time.
      for (const number of [1, 2, 3, 4, 5]) yield* record(subject, `action ${number}`)
      yield* record(randomUUID(), "of somebody else")
      const all = yield* store.actions({ subject })
      expect(all.map(({ action }) => action).sort()).toEqual([1, 2, 3, 4, 5].map((number) => `action ${number}`))
      expect(all.map(({ id }) => id)).toEqual([...all.map(({ id }) => id)].sort().reverse())
      const first = yield* store.actions({ subject, limit: 2 })
      const second = yield* store.actions({ subject, limit: 2, following: first.at(-1) })
      const third = yield* store.actions({ subject, limit: 2, following: second.at(-1) })
      expect([...first, ...second, ...third]).toEqual(all)
      expect(yield* store.actions({ subject: randomUUID() })).toEqual([])
    })
  )

  it.effect("what came of one is written later, and is one row all the same", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const subject = randomUUID()
      const begun = yield* store.recordAction({ who: "Lin", action: "test", subject, detail: null, result: "begun" })
      expect(yield* store.actions({ subject })).toEqual([begun])
      yield* store.finishAction({ ...begun, result: "failed: Polar was away" })
      expect(yield* store.actions({ subject })).toEqual([{ ...begun, result: "failed: Polar was away" }])
    })
  )
}
