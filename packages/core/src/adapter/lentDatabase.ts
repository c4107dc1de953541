/** What an app lends as its database, recognised by looking: its type is only what a host says. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { BillingStore } from "../store/BillingStore.ts"
import type { BillingStoreService } from "../store/BillingStoreService.ts"
import { StoreError } from "../store/StoreError.ts"
import { DriverError } from "./DriverError.ts"

export interface LentKind {
  /** Of which of drizzle's databases it is; `undefined` of none of them. */
  readonly drizzle: "sqlite" | "postgres" | "mysql" | undefined
  /** drizzle's name of what it talks through, such as `NeonHttpSession`. */
  readonly session: string
  /** Whether drizzle answers at once, as on better-sqlite3 and sql.js. */
  readonly isSync: boolean
}

export const lentKind = (db: unknown): LentKind => {
  const classes = classesOf(db)
  const session = property(db, "session")
  return {
    drizzle: classes.includes("PgDatabase")
      ? "postgres"
      : classes.includes("MySqlDatabase")
        ? "mysql"
        : classes.includes("BaseSQLiteDatabase")
          ? "sqlite"
          : undefined,
    session: classesOf(session)[0] ?? "",
    isSync: property(db, "resultKind") === "sync"
  }
}

/** The store on what an app lends; what it cannot use is an error of the schema, which is told at start. */
export const onLent = (make: () => BillingStoreService): Layer.Layer<BillingStore, StoreError> =>
  Layer.effect(
    BillingStore,
    Effect.try({
      try: make,
      catch: (error) =>
        new StoreError({
          operation: "open",
          reason: error instanceof DriverError ? error.reason : "unknown",
          detail: error instanceof Error ? error.message : String(error)
        })
    })
  )

/** Throws, where the lent database is one of drizzle's that the store cannot use, a sentence that says why. */
export const refuseLent = (kind: LentKind, wanted: NonNullable<LentKind["drizzle"]>): void => {
  const { drizzle, session } = kind
  if (drizzle !== undefined && drizzle !== wanted) {
    throw new DriverError("schema", `the provider is ${wanted}, and the database is a drizzle database on ${drizzle}`)
  }
  if (withoutTransactions.has(session)) {
    throw new DriverError(
      "schema",
      `drizzle's ${session} has no transactions, and a delivery needs one: give billing a driver that has them, such as ${instead[wanted]}`
    )
  }
}

const instead = { postgres: "pg or postgres", mysql: "mysql2", sqlite: "better-sqlite3 or @libsql/client" } as const

/** Of drizzle 0.41 to 0.45: their `transaction` throws, or holds nothing together. */
const withoutTransactions: ReadonlySet<string> = new Set([
  "NeonHttpSession",
  "PgRemoteSession",
  "XataHttpSession",
  "SQLiteD1Session",
  "SQLiteRemoteSession",
  "MySqlRemoteSession",
  "PlanetscaleSession",
  "TiDBServerlessSession"
])

const entityKind = Symbol.for("drizzle:entityKind")

/** The names that drizzle gives its classes, from the object's own upwards. */
const classesOf = (value: unknown): ReadonlyArray<string> => {
  const names: Array<string> = []
  let next: unknown = typeof value === "object" && value !== null ? Reflect.getPrototypeOf(value) : null
  while (typeof next === "object" && next !== null) {
    const made = Reflect.get(next, "constructor")
    const name: unknown =
      typeof made === "function" && Object.hasOwn(made, entityKind) ? Reflect.get(made, entityKind) : undefined
    if (typeof name === "string") names.push(name)
    next = Reflect.getPrototypeOf(next)
  }
  return names
}

const property = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined
