/** Says which database drivers are loaded after importing the package, and after opening a pool of the given one. */
import { register } from "node:module"
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const { port1, port2 } = new MessageChannel()
const hooks = `let port
export const initialize = (data) => { port = data }
export const resolve = async (specifier, context, next) => {
  const found = await next(specifier, context)
  port.postMessage(found.url)
  return found
}`
register(`data:text/javascript,${encodeURIComponent(hooks)}`, { data: port2, transferList: [port2] })

const drivers = new Set<string>()
const loaded = (): ReadonlyArray<string> => {
  for (let next = receiveMessageOnPort(port1); next !== undefined; next = receiveMessageOnPort(port1)) {
    const [, name] = /\/node_modules\/(postgres|pg|@electric-sql\/pglite)\//.exec(String(next.message)) ?? []
    if (name !== undefined) drivers.add(name)
  }
  return [...drivers]
}

const { PostgresStore } = await import("@kavach-polar/adapter-postgres")
const before = loaded()
const driver = process.argv.at(-1) === "postgres" ? "postgres" : "pg"
await Effect.runPromise(Effect.scoped(Layer.build(PostgresStore.layer({ url: "postgres://localhost/none", driver }))))
process.stdout.write(JSON.stringify({ before, after: loaded() }))
port1.close()
