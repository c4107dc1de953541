/** The driver of MySQL and MariaDB, which a bundle may be made without: see `loadedBy`. */
import { driverNotInstalled } from "@kavach-polar/core/adapter"

export const mysql2 = async (): Promise<typeof import("mysql2")> => {
  try {
    return await import("mysql2")
  } catch (error) {
    throw driverNotInstalled("mysql2")(error)
  }
}

/** drizzle-orm imports mysql2 by itself. */
export const drizzleOnMysql2 = async () => {
  try {
    return (await import("drizzle-orm/mysql2")).drizzle
  } catch (error) {
    throw driverNotInstalled("drizzle-orm or mysql2", "drizzle-orm mysql2")(error)
  }
}
