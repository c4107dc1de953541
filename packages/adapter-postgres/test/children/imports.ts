/** Says which database drivers are loaded after importing the package, and after opening a pool with it. */
import { createRequire } from "node:module"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import * as Effect from "effect/Effect"

// The drivers bring a CommonJS form, which is what is loaded where there is a choice; postgres.js is asked otherwise.
const require = createRequire(import.meta.url)
const loaded = (): ReadonlyArray<string> => {
  const modules = Object.keys(require.cache)
  const drivers = modules.filter((path) => /node_modules[\\/](postgres|pg|@electric-sql)[\\/]/.test(path))
  return drivers.map((path) => path.replace(/^.*node_modules[\\/]([^\\/]+).*$/, "$1"))
}

const before = loaded()
await Effect.runPromise(Effect.scoped(PostgresStore.open({ url: "postgres://localhost/none" })))
process.stdout.write(JSON.stringify({ before, after: [...new Set(loaded())] }))
