/** Says which database drivers are loaded after importing the package, and after opening a file with it. */
import { Module } from "node:module"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import * as Effect from "effect/Effect"

const loaded = (): ReadonlyArray<string> => {
  const modules = Object.keys(Reflect.get(Module, "_cache"))
  const drivers = modules.filter((path) => /node_modules[\\/](better-sqlite3|sql\.js)[\\/]/.test(path))
  return drivers.map((path) => path.replace(/^.*node_modules[\\/]([^\\/]+).*$/, "$1"))
}

const before = loaded()
await Effect.runPromise(Effect.scoped(SqliteStore.open(":memory:")))
process.stdout.write(JSON.stringify({ before, after: [...new Set(loaded())] }))
