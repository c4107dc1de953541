/** Counts what a call sends to the database, at the driver: whatever lies above it cannot hide a statement. */
import Database from "better-sqlite3"
import mysql from "mysql2"
import pg from "pg"
import type { StoreName } from "../Bench.ts"

/** `null` of a driver that has no function through which every statement goes. */
export const countStatements = async (store: StoreName, call: () => unknown): Promise<number | null> => {
  if (store === "libsql" || store === "postgres-js") return null
  let count = 0
  const restore = doors(store).map(([prototype, name]) => {
    const original: unknown = Reflect.get(prototype, name)
    if (typeof original !== "function") throw new Error(`the driver of ${store} has no ${name}`)
    Reflect.set(prototype, name, function (this: unknown, ...args: ReadonlyArray<unknown>) {
      count += 1
      return Reflect.apply(original, this, args)
    })
    return () => Reflect.set(prototype, name, original)
  })
  try {
    await call()
  } finally {
    for (const undo of restore) undo()
  }
  return count
}

/** Through which functions every statement goes. */
const doors = (store: Exclude<StoreName, "libsql" | "postgres-js">): ReadonlyArray<readonly [object, string]> => {
  if (store === "postgres") return [[pg.Client.prototype, "query"]]
  if (store === "sqlite") {
    const statement: object = Object.getPrototypeOf(new Database(":memory:").prepare("SELECT 1"))
    return ["all", "get", "run"].map((name) => [statement, name] as const)
  }
  const connection: unknown = Reflect.get(mysql, "Connection")
  if (typeof connection !== "function") throw new Error("mysql2 has no Connection")
  return ["query", "execute"].map((name) => [holderOf(connection.prototype, name), name] as const)
}

/** The prototype that has the function itself. */
const holderOf = (prototype: object, name: string): object => {
  const parent: unknown = Object.getPrototypeOf(prototype)
  return Object.hasOwn(prototype, name) || typeof parent !== "object" || parent === null
    ? prototype
    : holderOf(parent, name)
}
