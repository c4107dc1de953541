/** The drivers of PostgreSQL. An app installs one of them, and its bundle is made without the other: see `loadedBy`. */
import { driverNotInstalled } from "@kavach-polar/core/adapter"

/** What drizzle-orm is given as pg where both are in one bundle: by then it is loaded. See http's bundle.mjs. */
export let loadedPg: typeof import("pg").default | undefined

export const nodePostgres = async () => {
  try {
    loadedPg = (await import("pg")).default
    return loadedPg
  } catch (error) {
    throw driverNotInstalled("pg")(error)
  }
}

export const postgresJs = async () => {
  try {
    return (await import("postgres")).default
  } catch (error) {
    throw driverNotInstalled("postgres")(error)
  }
}

/** drizzle-orm imports pg by itself. */
export const drizzleOnNodePostgres = async () => {
  try {
    return (await import("drizzle-orm/node-postgres")).drizzle
  } catch (error) {
    throw driverNotInstalled("drizzle-orm or pg", "drizzle-orm pg")(error)
  }
}
