/** Whatever a value holds, and whatever a session takes text for, it comes back as it was: on MySQL and MariaDB. */
import { randomUUID } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { sqlDriver } from "@kavach-polar/core/adapter"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import { CheckoutId, ProductId, UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery, subscriptionIn } from "@kavach-polar/core/testing/polarDeliveries"
import { Duration, Effect, Option } from "effect"
import { mysqlConnection } from "../../packages/adapter-mysql/src/mysqlConnection.ts"
import { hostilePieces } from "../prove/hostileText.ts"
import { mysqlCharsets, mysqlModes } from "../prove/lateSettings.ts"
import { randomOf } from "../prove/seeded.ts"
import { serverUrl } from "../servers/serverUrl.ts"
import { temporaryDatabase, temporaryPool } from "../store/MysqlHarness.ts"

/** What the core does not take as a part of an id. */
const noneOfAnId = ["\0", "\u001a", "\n", "\r\n", "\t", "\ud83d", "\ude00", "\ufeff", "\u202e"]

const ofMariaDb = ["EMPTY_STRING_IS_NULL,NO_BACKSLASH_ESCAPES", "SIMULTANEOUS_ASSIGNMENT,IGNORE_SPACE"]

/** Half of a surrogate pair becomes U+FFFD. */
const wellFormedOf = (text: string): string => Buffer.from(text).toString()

for (const [server, serverName, more] of [
  ["mysql", "MySQL", []],
  ["mariadb", "MariaDB", ofMariaDb]
] as const) {
  const adminUrl = serverUrl(server)

  describe.skipIf(adminUrl === undefined)(serverName, () => {
    if (adminUrl === undefined) return

    for (const [name, options, together] of [
      ["several statements in a message, as on the store's own pool", { multipleStatements: true }, true],
      ["one by one, as on the app's", {}, false],
      ["one by one, on a pool of the app's in another character set", { charset: "SJIS_JAPANESE_CI" }, false]
    ] as const) {
      it.scopedLive(
        name,
        () =>
          Effect.gen(function* () {
            const { query, url } = yield* temporaryDatabase(adminUrl)
            const pool = yield* temporaryPool({ uri: url, connectionLimit: 1, ...options })
            const store = BillingStore.make(sqlDriver(mysqlConnection(pool, { together }), "the package"))
            yield* store.migrate
            const random = randomOf(2026, 0)
            const some = (from: ReadonlyArray<string>) =>
              `${randomUUID()} ${Array.from({ length: 1 + random.int(12) }, () => from[random.int(from.length)]).join("")}.`
            const text = () => some([...hostilePieces, ...noneOfAnId])
            const idText = () => some(hostilePieces)
            for (const [round, mode] of [...mysqlModes, ...mysqlModes, ...more, ...more].entries()) {
              const charset = mysqlCharsets[round % mysqlCharsets.length] ?? ""
              const place = `${mode} / ${charset}`
              yield* Effect.promise(async () => {
                await pool.query("SET NAMES utf8mb4")
                await pool.query(`SET SESSION sql_mode = '${mode}'`)
                await pool.query(`SET ${charset}`)
              })
              const userId = UserId.make(idText())
              const wellFormed = wellFormedOf(userId)
              yield* Effect.promise(() =>
                query(
                  `INSERT INTO kavach_users (id, email, name, created_at, updated_at) VALUES (X'${Buffer.from(wellFormed).toString("hex")}', '${randomUUID()}', X'${Buffer.from(wellFormed).toString("hex")}', '2026-01-01', '2026-01-01')`
                )
              )
              const scene = newScene()
              const created = subscriptionDelivery(scene, "created", {
                id: text(),
                externalId: userId,
                patch: { custom_field_data: { note: text() } }
              })
              expect(yield* store.applyDeliveries([created], defaultPolicy), place).toMatchObject([
                { state: "applied", userId }
              ])
              // Of what is no character, both are the same one; and that a JSON text writes as an escape.
              const [recorded] = yield* store.deliveries({ ids: [created.id] })
              expect(recorded, place).toMatchObject({
                id: wellFormedOf(created.id),
                body: wellFormedOf(created.body),
                userId: wellFormed
              })
              const [stored] = yield* store.subscriptionsOf(userId, "all")
              expect(stored?.customFieldData, place).toEqual(subscriptionIn(created).customFieldData)
              expect(yield* store.customerOf(userId), place).toEqual(Option.some(scene.customerId))
              expect(
                Option.map(yield* store.findUser(UserId.make(wellFormed)), ({ name: own }) => own),
                place
              ).toEqual(Option.some(Option.some(wellFormed)))
              const [shown] = yield* Effect.promise(() =>
                query(
                  "SELECT polar_customer_id AS id FROM kavach_users WHERE polar_subscription_id = ?",
                  scene.subscriptionId
                )
              )
              expect(shown, place).toEqual({ id: scene.customerId })
              const owner = text()
              const { claimed } = yield* store.claimNotifications({ owner, limit: 9, lease: Duration.minutes(1) })
              expect(
                claimed.map((one) => one.userId),
                place
              ).toContain(wellFormed)
              const ids = claimed.map(({ id }) => id)
              expect(yield* store.completeNotifications(ids, owner), place).toEqual(ids)
              const [job, position] = [text().slice(0, 60), text()]
              yield* store.claimJob({ name: job, owner: position.slice(0, 200), lease: Duration.minutes(1) })
              yield* store.continueJob(job, position.slice(0, 200), position, Duration.minutes(1))
              expect(
                Option.map(yield* store.job(job), (one) => one.position),
                place
              ).toEqual(Option.some(wellFormedOf(position)))
              const id = CheckoutId.make(idText().slice(-50, -1).trim())
              yield* store.recordCheckout({ id, userId, productId: ProductId.make("p") }, defaultPolicy)
              const [checkout] = yield* Effect.promise(() =>
                query(
                  `SELECT user_id AS user FROM kavach_polar_checkouts WHERE id = X'${Buffer.from(id).toString("hex")}'`
                )
              )
              expect(checkout, place).toEqual({ user: wellFormed })
            }
            // Nothing that was a value ran.
            expect(yield* Effect.promise(() => query("SELECT COUNT(*) AS n FROM kavach_polar_locks"))).toEqual([
              { n: 2048 }
            ])
          }),
        120_000
      )
    }

    it.scopedLive.runIf(server === "mariadb")(
      "the mode ORACLE, in which `body` is a reserved word, is refused and named",
      () =>
        Effect.gen(function* () {
          const { url } = yield* temporaryDatabase(adminUrl)
          const pool = yield* temporaryPool({ uri: url, connectionLimit: 1 })
          const store = BillingStore.make(sqlDriver(mysqlConnection(pool, { together: false }), "the package"))
          yield* store.migrate
          yield* Effect.promise(() => pool.query("SET SESSION sql_mode = 'ORACLE'"))
          const created = subscriptionDelivery(newScene(), "created", { externalId: "user-1" })
          const error = yield* Effect.flip(store.applyDeliveries([created], defaultPolicy))
          expect(error).toMatchObject({ reason: "schema", detail: expect.stringContaining("ORACLE") })
        })
    )
  })
}
