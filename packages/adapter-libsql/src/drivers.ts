/** The driver of libSQL, which a bundle may be made without: see `loadedBy`. */
import { driverNotInstalled } from "@kavach-polar/core/adapter"

export const libsqlClient = async () => {
  try {
    return await import("@libsql/client")
  } catch (error) {
    throw driverNotInstalled("@libsql/client")(error)
  }
}

/** drizzle-orm imports @libsql/client by itself. */
export const drizzleOnLibsql = async () => {
  try {
    return (await import("drizzle-orm/libsql")).drizzle
  } catch (error) {
    throw driverNotInstalled("drizzle-orm or @libsql/client", "drizzle-orm @libsql/client")(error)
  }
}
