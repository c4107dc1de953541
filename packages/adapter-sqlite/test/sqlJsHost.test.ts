import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { migrations } from "@kavach-polar/core/adapter"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery, subscriptionIn } from "@kavach-polar/core/testing/polarDeliveries"
import Database from "better-sqlite3"
import { Duration, Effect } from "effect"
import { type Query, queryBetterSqlite3, querySqlJs, temporaryFolder } from "../../../test/store/SqliteHarness.ts"
import { openHostFile } from "./sqlJsHost.ts"

const host = Effect.gen(function* () {
  const filename = join(yield* temporaryFolder, "host.db")
  const opened = yield* Effect.promise(() => openHostFile(filename))
  const onDisk = (...query: Parameters<Query>) => {
    const client = new Database(filename, { readonly: true })
    try {
      return queryBetterSqlite3(client)(...query)
    } finally {
      client.close()
    }
  }
  return { ...opened, filename, onDisk, store: SqliteStore.make(opened.db) }
})

const userId = UserId.make("user-1")
const claim = { owner: "a", limit: 10, lease: Duration.minutes(1) }
const foreignKeys = "PRAGMA foreign_keys"

it.scoped("the tables are in the host's file after the migration", () =>
  Effect.gen(function* () {
    const { onDisk, store } = yield* host
    yield* store.migrate
    expect(onDisk("SELECT name FROM kavach_polar_migrations")).toEqual(migrations.map(({ name }) => ({ name })))
    expect(onDisk("SELECT count(*) AS n FROM kavach_users")).toEqual([{ n: 0 }])
  })
)

it.scoped("every change is in the host's file before it is acknowledged", () =>
  Effect.gen(function* () {
    const { client, onDisk, store } = yield* host
    yield* store.migrate
    const scene = newScene()
    for (const [at, type] of ["created", "canceled", "revoked"].entries()) {
      const delivery = subscriptionDelivery(scene, type, { externalId: userId, at })
      const [outcome] = yield* store.applyDeliveries([delivery], defaultPolicy)
      expect(outcome.state).toBe("applied")
      expect(onDisk("SELECT status, event_at FROM kavach_polar_subscriptions")).toEqual([
        { status: subscriptionIn(delivery).status, event_at: delivery.content.at }
      ])
      expect(onDisk("SELECT state FROM kavach_polar_deliveries WHERE id = ?", delivery.id)).toHaveLength(1)
    }
    const { claimed } = yield* store.claimNotifications(claim)
    expect(onDisk("SELECT attempts, lease_owner FROM kavach_polar_notifications WHERE attempts > 0")).toEqual([
      { attempts: 1, lease_owner: "a" }
    ])
    for (const { id } of claimed) yield* store.completeNotifications([id], "a")
    expect(onDisk("SELECT count(*) AS n FROM kavach_polar_notifications WHERE state = 'done'")).toEqual([{ n: 1 }])
    expect(querySqlJs(client)(foreignKeys)).toEqual([{ foreign_keys: 1 }])
  })
)

it.scoped("the next start reads what the last one wrote", () =>
  Effect.gen(function* () {
    const { filename, store } = yield* host
    yield* store.migrate
    const delivery = subscriptionDelivery(newScene(), "created", { externalId: userId })
    yield* store.applyDeliveries([delivery], defaultPolicy)
    const next = SqliteStore.make((yield* Effect.promise(() => openHostFile(filename))).db)
    yield* next.migrate
    expect(yield* next.subscriptionsOf(userId, "live")).toEqual([subscriptionIn(delivery)])
    const [again] = yield* next.applyDeliveries([delivery], defaultPolicy)
    expect(again).toMatchObject({ duplicate: true, state: "applied", userId })
  })
)

it.scoped("what changes nothing saves nothing", () =>
  Effect.gen(function* () {
    const { disk, store } = yield* host
    yield* store.migrate
    const delivery = subscriptionDelivery(newScene(), "created", { externalId: userId })
    yield* store.applyDeliveries([delivery], defaultPolicy)
    const { claimed } = yield* store.claimNotifications(claim)
    const { saves } = disk
    yield* store.applyDeliveries([delivery], defaultPolicy)
    yield* store.claimNotifications({ ...claim, owner: "b" })
    yield* store.completeNotifications([claimed[0]?.id ?? ""], "b")
    yield* store.pruneDeliveryBodies(new Date(0), 10)
    yield* store.subscriptionsOf(userId, "all")
    yield* store.deliveries({})
    expect(disk.saves).toBe(saves)
  })
)

it.scoped("when saving fails nothing is acknowledged, and nobody notified, until it has succeeded", () =>
  Effect.gen(function* () {
    const { disk, onDisk, store } = yield* host
    yield* store.migrate
    const { save } = disk
    disk.save = () => {
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" })
    }
    const created = subscriptionDelivery(newScene(), "created", { externalId: userId })
    const full = { _tag: "StoreError", reason: "full" }
    const apply = store.applyDeliveries([created], defaultPolicy)
    expect(yield* Effect.flip(apply)).toMatchObject(full)
    // In memory it is a duplicate by now. It is not on disk, so it must not be answered as one.
    expect(yield* Effect.flip(apply)).toMatchObject(full)
    expect(yield* Effect.flip(store.claimNotifications(claim))).toMatchObject(full)
    expect(onDisk("SELECT count(*) AS n FROM kavach_polar_deliveries")).toEqual([{ n: 0 }])

    disk.save = save
    const [outcome] = yield* apply
    expect(outcome).toMatchObject({ state: "applied", duplicate: true })
    expect(onDisk("SELECT id FROM kavach_polar_deliveries")).toEqual([{ id: created.id }])
    expect((yield* store.claimNotifications(claim)).claimed).toHaveLength(1)
  })
)

it.scoped("the host's own writes between the store's do not disturb it", () =>
  Effect.gen(function* () {
    const { client, onDisk, store } = yield* host
    yield* store.migrate
    const scene = newScene()
    client.run("INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES (?, 'ada@example.test', 1, 1)", [
      userId
    ])
    for (const [at, type] of ["created", "canceled"].entries()) {
      yield* store.applyDeliveries([subscriptionDelivery(scene, type, { externalId: userId, at })], defaultPolicy)
      client.run("UPDATE kavach_users SET name = ? WHERE id = ?", [type, userId])
    }
    expect(onDisk("SELECT name, polar_subscription_id, polar_cancel_at_period_end FROM kavach_users")).toEqual([
      { name: "canceled", polar_subscription_id: scene.subscriptionId, polar_cancel_at_period_end: 1 }
    ])
  })
)

it.scoped("while the host has a transaction open, the store waits for another time", () =>
  Effect.gen(function* () {
    const { client, store } = yield* host
    yield* store.migrate
    const delivery = subscriptionDelivery(newScene(), "created", { externalId: userId })
    client.run("BEGIN")
    const error = yield* Effect.flip(store.applyDeliveries([delivery], defaultPolicy))
    expect(error.reason).toBe("busy")
    client.run("ROLLBACK")
    const [outcome] = yield* store.applyDeliveries([delivery], defaultPolicy)
    expect(outcome.duplicate).toBe(false)
  })
)
