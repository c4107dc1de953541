/** A process is killed in the middle of a call, and another one takes over what it held. */
import * as AccessPolicy from "@kavach-polar/core/AccessPolicy"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import * as Effect from "effect/Effect"
import { openCluster } from "./Cluster.ts"
import { bundleNotified, startNotified } from "./notifiedProcess.ts"
import type { StoreName } from "./Proof.ts"
import { drained, eventAtOf } from "./queue.ts"

/** The children's lease. */
const leaseMillis = 20_000

export const provedTakeOver = (store: StoreName, server: string | undefined) =>
  Effect.gen(function* () {
    const cluster = yield* openCluster({ store, server, users: [], nodes: 1 })
    const [one] = cluster.stores
    const scenes = Array.from({ length: 6 }, () => newScene())
    for (const [place, scene] of scenes.entries()) {
      for (const [step, type] of ["created", "canceled", "revoked"].entries()) {
        const delivery = subscriptionDelivery(scene, type, { externalId: `usr_${place}`, at: step })
        yield* one.applyDeliveries([delivery], AccessPolicy.defaultPolicy)
      }
    }
    const program = yield* Effect.acquireRelease(Effect.promise(bundleNotified), ({ remove }) => Effect.sync(remove))
    const dying = startNotified(program, store, cluster.address, "dies")
    const signal = yield* Effect.promise(() => dying.ended)
    const living = yield* Effect.acquireRelease(
      Effect.sync(() => startNotified(program, store, cluster.address, "lives")),
      (child) => Effect.promise(() => child.stop())
    )
    const { inTime, queue } = yield* drained(cluster, "2 minutes")
    const violations: Array<string> = []
    if (signal !== "SIGKILL") violations.push(`the child that kills itself ended with ${signal}`)
    if (dying.calls.length === 0) violations.push("the child that kills itself was called for nothing")
    if (!inTime) violations.push("two minutes after a process died, what it held is not taken over")
    let takenOver = 0
    for (const { id, at } of dying.calls) {
      const again = living.calls.find((call) => call.id === id)
      if (again === undefined) {
        violations.push(`notification ${id}, in whose call the process died, is not called again`)
        continue
      }
      takenOver++
      // The lease began before the first call did, but not by much.
      if (again.at < at + leaseMillis - 3000)
        violations.push(`notification ${id} is called again before its lease ended`)
    }
    for (const { id, state } of queue) {
      if (state !== "done") violations.push(`notification ${id} is ${state}`)
      const times = living.calls.filter((call) => call.id === id).length
      if (times !== 1) violations.push(`notification ${id} is called ${times} times by the process that lives`)
    }
    for (const { subscriptionId } of scenes) {
      const told = living.calls.filter(({ id }) => id.startsWith(`${subscriptionId}:`)).map(({ id }) => eventAtOf(id))
      if (told.some((at, place) => at < (told[place - 1] ?? 0))) {
        violations.push(`subscription ${subscriptionId} is told in the order ${told.join(", ")}`)
      }
    }
    return { violations, figures: { heldByTheDead: dying.calls.length, takenOver } }
  })
