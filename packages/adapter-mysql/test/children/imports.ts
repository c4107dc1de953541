/** Says whether the driver is loaded after importing the package, and after making a pool with it. */
import { Module } from "node:module"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import * as Effect from "effect/Effect"

const isLoaded = (): boolean =>
  Object.keys(Reflect.get(Module, "_cache")).some((path) => /node_modules[\\/]mysql2[\\/]/.test(path))

const before = isLoaded()
await Effect.runPromise(Effect.scoped(MysqlStore.open({ url: "mysql://root@127.0.0.1:1/none" })))
process.stdout.write(JSON.stringify({ before, after: isLoaded() }))
