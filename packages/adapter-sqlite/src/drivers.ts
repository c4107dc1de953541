/** The driver of a file, which a bundle may be made without: the app may be on sql.js. See `loadedBy`. */
import { driverNotInstalled } from "@kavach-polar/core/adapter"
import { StoreError } from "@kavach-polar/core/StoreError"

const packages = "better-sqlite3, or npm rebuild better-sqlite3"

/** better-sqlite3 is an addon for Node: no installation makes it run on Bun. */
export const betterSqlite3NotInstalled = (error: unknown): StoreError =>
  process.versions["bun"] === undefined
    ? driverNotInstalled("better-sqlite3", packages)(error)
    : new StoreError({
        operation: "open",
        reason: "unavailable",
        detail:
          "better-sqlite3 does not run on Bun; pass a drizzle database on bun:sqlite as the client instead of a URL"
      })

export const betterSqlite3 = async (): Promise<typeof import("better-sqlite3")> => {
  try {
    return (await import("better-sqlite3")).default
  } catch (error) {
    throw betterSqlite3NotInstalled(error)
  }
}

/** drizzle-orm imports better-sqlite3 by itself. */
export const drizzleOnBetterSqlite3 = async () => {
  try {
    return (await import("drizzle-orm/better-sqlite3")).drizzle
  } catch (error) {
    throw driverNotInstalled("drizzle-orm or better-sqlite3", `drizzle-orm ${packages}`)(error)
  }
}
