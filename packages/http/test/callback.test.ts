/** The callback: its options, when a delivery is answered, what it never took, and what a process takes up at start. */
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import { StoreError } from "@kavach-polar/core/StoreError"
import { createKavach, type Polar, type PolarConfig, polar } from "@kavach-polar/http"
import { Context, Effect, Layer } from "effect"
import { afterEach, describe, expect, test, vi } from "vitest"
import { fixture, deliveryOf as recorded } from "../../core/test/deliveries.ts"
import { deliveryOf, memoryPolar, secret } from "./host.ts"

const open: Array<Polar> = []

afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(open.splice(0).map((billing) => billing.dispose()))
})

const billingOf = (options: Partial<PolarConfig> = {}) => {
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

/** Something that a test opens. */
const gate = () => {
  let opens = () => {}
  const opened = new Promise<void>((resolve) => {
    opens = resolve
  })
  return { opened, open: () => opens() }
}

const active = () => deliveryOf(fixture("subscription.active"))

/** Whether it is done by now, as far as a look at the event loop can tell. */
const isDone = async (promise: Promise<unknown>): Promise<boolean> => {
  let done = false
  void promise.then(() => {
    done = true
  })
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
  return done
}

/** A store that outlives those who use it. */
const sharedStore = () => {
  const store = Effect.runSync(
    Effect.map(Effect.scoped(Layer.build(BillingStore.layerMemory)), (context) =>
      Context.get(context, BillingStore.BillingStore)
    )
  )
  return { store, layer: Layer.succeed(BillingStore.BillingStore, store) }
}

describe("the options", () => {
  test("are checked, at every depth", () => {
    const refused = (callback: unknown) => {
      try {
        billingOf({ callback: callback as PolarConfig["callback"] })
      } catch (error) {
        return (error as Error).message
      }
      return undefined
    }
    expect(refused({ timeoutSeconds: 60, attempts: 3, concurrency: 1, mode: "beforeAnswer" })).toBeUndefined()
    expect(refused({})).toBeUndefined()
    expect(refused({ timeout: 60 })).toBe(
      "polar(): callback.timeout: there is no such option. Did you mean timeoutSeconds?"
    )
    expect(refused({ timeoutSeconds: 0 })).toMatch(/^polar\(\): callback.timeoutSeconds: /)
    expect(refused({ timeoutSeconds: Number.POSITIVE_INFINITY })).toMatch(/^polar\(\): callback.timeoutSeconds: /)
    expect(refused({ attempts: 1.5 })).toMatch(/^polar\(\): callback.attempts: /)
    expect(refused({ concurrency: 0 })).toMatch(/^polar\(\): callback.concurrency: /)
    expect(refused({ mode: "later" })).toMatch(/^polar\(\): callback.mode: /)
    expect(refused("slow")).toBe("polar(): callback: it must be an object")
  })

  test("timeoutSeconds: its signal is aborted then, and the call counts when it has ended", async () => {
    const aborted = gate()
    const ends = gate()
    let calls = 0
    const billing = billingOf({
      callback: { timeoutSeconds: 0.1 },
      onSubscriptionChange: async (_userId, _subscription, { signal }) => {
        calls++
        signal.addEventListener("abort", aborted.open)
        await ends.opened
      }
    })
    await billing.webhook(active())
    await aborted.opened
    ends.open()
    expect(await billing.settled()).toEqual({ waiting: 0, dead: 0 })
    expect(calls).toBe(1)
  })
})

describe("what the callback did not take", () => {
  const failing = (options: PolarConfig["callback"]) => {
    const told: Array<string> = []
    const app = { isDown: true }
    const billing = billingOf({
      callback: options,
      onSubscriptionChange: (userId) => {
        told.push(userId)
        if (app.isDown) throw new Error("the mail server is down")
      }
    })
    return { app, billing, told }
  }

  test("waits for a further call, and is not waited for", async () => {
    const { billing, told } = failing({ attempts: 2 })
    await billing.webhook(active())
    expect(await billing.settled()).toEqual({ waiting: 1, dead: 0 })
    expect(told).toEqual(["usr_1042"])
    expect(await billing.notifications.dead()).toEqual([])
  })

  test("is found when it was given up, and told again when somebody says so", async () => {
    const { app, billing, told } = failing({ attempts: 1 })
    await billing.webhook(active())
    expect(await billing.settled()).toEqual({ waiting: 0, dead: 1 })
    const dead = await billing.notifications.dead()
    expect(dead).toMatchObject([
      {
        userId: "usr_1042",
        subscription: { status: "active" },
        attempts: 1,
        error: "The handler failed: the mail server is down"
      }
    ])
    expect(JSON.parse(JSON.stringify(dead))).toHaveLength(1)
    expect(structuredClone(dead)).toEqual(dead)
    expect(await billing.notifications.retry({ userId: "somebody else" })).toBe(0)
    expect(told).toHaveLength(1)
    app.isDown = false
    expect(await billing.notifications.retry({})).toBe(1)
    expect(await billing.settled()).toEqual({ waiting: 0, dead: 0 })
    expect(told).toHaveLength(2)
    expect(await billing.notifications.retry({})).toBe(0)
  })

  test("is told again by a replay of its delivery, too", async () => {
    const { app, billing, told } = failing({ attempts: 1 })
    await billing.webhook(active())
    await billing.settled()
    app.isDown = false
    expect(await billing.replay({ states: ["applied"] })).toMatchObject({ notified: 0, retried: 1 })
    expect(await billing.settled()).toEqual({ waiting: 0, dead: 0 })
    expect(told).toHaveLength(2)
    expect(await billing.replay()).toMatchObject({ notified: 0, retried: 0 })
  })
})

describe("when a delivery is answered", () => {
  test("by default the call has begun by then, and goes on", async () => {
    const ends = gate()
    const told: Array<string> = []
    const billing = billingOf({
      onSubscriptionChange: async (userId) => {
        told.push(userId)
        await ends.opened
        told.push("ended")
      }
    })
    expect((await billing.webhook(active())).status).toBe(200)
    expect(told).toEqual(["usr_1042"])
    ends.open()
    await billing.settled()
    expect(told).toEqual(["usr_1042", "ended"])
  })

  test("beforeAnswer: when the callback has ended and that is stored", async () => {
    const ends = gate()
    const { layer, store } = sharedStore()
    const billing = billingOf({
      store: layer,
      callback: { mode: "beforeAnswer" },
      onSubscriptionChange: () => ends.opened
    })
    const answer = billing.webhook(active())
    expect(await isDone(answer)).toBe(false)
    ends.open()
    expect((await answer).status).toBe(200)
    expect(await Effect.runPromise(store.countNotifications())).toEqual({ unsettled: 0, waiting: 0, dead: 0 })
  })

  test("beforeAnswer: with 200 as well when it fails, or when eight seconds have passed", async () => {
    const failing = billingOf({
      callback: { mode: "beforeAnswer" },
      onSubscriptionChange: () => {
        throw new Error("no")
      }
    })
    expect((await failing.webhook(active())).status).toBe(200)
    const ends = gate()
    const begun = gate()
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] })
    const slow = billingOf({
      callback: { mode: "beforeAnswer" },
      onSubscriptionChange: () => {
        begun.open()
        return ends.opened
      }
    })
    const answer = slow.webhook(active())
    await begun.opened
    await vi.advanceTimersByTimeAsync(7000)
    expect(await isDone(answer)).toBe(false)
    await vi.advanceTimersByTimeAsync(2000)
    expect((await answer).status).toBe(200)
    vi.useRealTimers()
    ends.open()
    expect(await slow.settled()).toEqual({ waiting: 0, dead: 0 })
  })

  test("waitUntil: gets what goes on after the answer, in a host too", async () => {
    const handed: Array<Promise<unknown>> = []
    const waitUntil = (promise: Promise<unknown>) => void handed.push(promise)
    for (const isHost of [false, true]) {
      const ends = gate()
      const { layer, store } = sharedStore()
      const billing = billingOf({ store: layer, onSubscriptionChange: () => ends.opened })
      const kavach = isHost
        ? await createKavach({ database: { provider: "sqlite", url: ":memory:" }, plugins: [billing] })
        : undefined
      const response =
        kavach === undefined
          ? await billing.webhook(active(), { waitUntil })
          : await kavach.plugins.handleRequest(active(), "", { waitUntil })
      expect(response?.status).toBe(200)
      const [promise] = handed.splice(0)
      if (promise === undefined) throw new Error("nothing was handed over")
      expect(await isDone(promise)).toBe(false)
      ends.open()
      await promise
      expect(await Effect.runPromise(store.countNotifications())).toEqual({ unsettled: 0, waiting: 0, dead: 0 })
      // Nothing is told, and so nothing is to be waited for.
      await billing.webhook(deliveryOf(fixture("checkout.updated")), { waitUntil })
      expect(handed).toEqual([])
      await kavach?.close()
    }
  })

  test("a waitUntil that throws harms nothing", async () => {
    const told: Array<string> = []
    const billing = billingOf({ onSubscriptionChange: (userId) => void told.push(userId) })
    const response = await billing.webhook(active(), {
      waitUntil: () => {
        throw new Error("not in a request")
      }
    })
    expect(response.status).toBe(200)
    await billing.settled()
    expect(told).toEqual(["usr_1042"])
  })
})

describe("start", () => {
  const left = async () => {
    const shared = sharedStore()
    await Effect.runPromise(
      shared.store.applyDeliveries([recorded("1", fixture("subscription.active"))], defaultPolicy)
    )
    return shared
  }

  test("takes up what an earlier process left, without a request", async () => {
    const { layer } = await left()
    const told = gate()
    const billing = billingOf({ store: layer, onSubscriptionChange: told.open })
    await billing.start()
    await told.opened
    await billing.start()
  })

  test("after a failure it rejects, and goes on trying by itself", async () => {
    const { layer } = await left()
    let failures = 2
    const flaky = Layer.effect(
      BillingStore.BillingStore,
      Effect.map(BillingStore.BillingStore, (store) => ({
        ...store,
        migrate: Effect.suspend(() =>
          failures-- > 0
            ? new StoreError({ operation: "migrate", reason: "unavailable", detail: "not there yet" })
            : store.migrate
        )
      }))
    ).pipe(Layer.provide(layer))
    const told = gate()
    const billing = billingOf({ store: flaky, onSubscriptionChange: told.open })
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    await expect(billing.start()).rejects.toMatchObject({ _tag: "StoreError", reason: "unavailable" })
    await vi.advanceTimersByTimeAsync(3000)
    await vi.advanceTimersByTimeAsync(6000)
    vi.useRealTimers()
    await told.opened
    expect(failures).toBe(-1)
  })
})
