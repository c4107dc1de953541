import { it, expect } from "@effect/vitest"
import * as MysqlStore from "@kavach-polar/adapter-mysql/MysqlStore"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { Effect } from "effect"
import { temporaryDatabase, queryOn } from "/work/main/test/store/MysqlHarness.ts"
import { newScene, subscriptionDelivery } from "/work/main/test/store/polarDeliveries.ts"
for (const url of [process.env.TEST_MYSQL_URL!, process.env.TEST_MARIADB_URL!]) it.scopedLive(url, () => Effect.gen(function*() {
  const d = yield* temporaryDatabase(url)
  const before = (yield* Effect.promise(() => queryOn(url)("select @@global.max_allowed_packet p")))[0]!.p
  yield* Effect.promise(() => queryOn(url)("set global max_allowed_packet = 1048576"))
  const db = yield* MysqlStore.open({ url: d.url })
  const store = MysqlStore.make(db)
  yield* store.migrate
  const big = subscriptionDelivery(newScene(), "created", { externalId: "u", patch: { custom_field_data: { t: "x".repeat(3_000_000) } } })
  const e = yield* Effect.flip(store.applyDeliveries([big], defaultPolicy))
  console.log(e.message)
  const many = Array.from({length: 60}, () => subscriptionDelivery(newScene(), "created", { externalId: "u", patch: { custom_field_data: { t: "x".repeat(50_000) } } }))
  const r = yield* Effect.either(store.applyDeliveries(many as any, defaultPolicy))
  console.log(r._tag, r._tag === "Left" ? r.left.message : r.right.length)
  yield* Effect.promise(() => queryOn(url)(`set global max_allowed_packet = ${before}`))
  // latency
  const t0 = performance.now()
  for (let i = 0; i < 100; i++) yield* store.applyDeliveries([subscriptionDelivery(newScene(), "created", { externalId: `u${i}` })], defaultPolicy)
  const t1 = performance.now()
  const t2 = performance.now()
  yield* store.applyDeliveries(Array.from({length: 100}, (_, i) => subscriptionDelivery(newScene(), "created", { externalId: `w${i}` })) as any, defaultPolicy)
  console.log("one", (t1 - t0) / 100, "ms; hundred in one step", performance.now() - t2)
}), 60000)
