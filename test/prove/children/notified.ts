/**
 * A process that calls the app's callbacks: `notified.ts STORE ADDRESS MODE`. It prints a line for each call, and ends
 * when its standard input does. In the mode "dies" it kills itself in the middle of its first call.
 */
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { storeAt } from "../Cluster.ts"
import { storeNames } from "../Proof.ts"

const [name, address = "", mode] = process.argv.slice(-3)
const store = storeNames.find((known) => known === name)
if (store === undefined) throw new Error(`notified.ts STORE ADDRESS MODE; there is no store "${name}"`)

const Listener = SubscriptionListener.layerCallback(async ({ id }) => {
  process.stdout.write(`${JSON.stringify({ id, at: Date.now() })}\n`)
  if (mode !== "dies") return
  // Once the line is out: nobody hears a process that is dead.
  await new Promise((resolve) => setTimeout(resolve, 200))
  process.kill(process.pid, "SIGKILL")
  await new Promise(() => {})
})

const Dispatcher = NotificationDispatcher.layer({ timeout: "5 seconds", pollInterval: "500 millis", concurrency: 4 })

const until = new Promise<void>((resolve) => {
  process.stdin.once("end", resolve)
  process.stdin.resume()
})

await Effect.runPromise(
  Effect.scoped(
    Effect.zipRight(
      Layer.build(Layer.provide(Dispatcher, Layer.merge(storeAt(store, address), Listener))),
      Effect.promise(() => until)
    )
  )
)
