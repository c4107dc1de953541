/** Which database the server keeps subscriptions in. */
import type { DataFolder } from "./dataFolder.ts"
import { CommandFailed, type Terminal } from "./Terminal.ts"

export type Provider = "sqlite" | "libsql" | "postgres" | "mysql"

export interface Database {
  readonly provider: Provider
  readonly url: string
  /** What a libSQL server lets one in by. */
  readonly authToken?: string | undefined
  /** The address without its password. */
  readonly shown: string
}

/** By the scheme of the URL; without one it is a file, and without anything the file in the data folder. */
export const databaseOf = (option: string | undefined, env: Terminal["env"], folder: DataFolder): Database => {
  const given = option ?? env["DATABASE_URL"]
  if (given === undefined) return { provider: "sqlite", url: folder.database, shown: folder.database }
  if (given.trim() === "") throw new CommandFailed("DATABASE_URL is set but blank. Set it to a database, or unset it.")
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(given)?.[1]?.toLowerCase()
  switch (scheme) {
    case undefined:
      return { provider: "sqlite", url: given, shown: given }
    case "libsql":
      // A token may stand in the address, too.
      return {
        provider: "libsql",
        url: given,
        authToken: env["DATABASE_AUTH_TOKEN"],
        shown: given.replace(/\?.*$/, "")
      }
    case "postgres":
    case "postgresql":
      return { provider: "postgres", url: given, shown: withoutPassword(given) }
    case "mysql":
    case "mariadb":
      return { provider: "mysql", url: given.replace(/^mariadb:/i, "mysql:"), shown: withoutPassword(given) }
    default:
      throw new CommandFailed(
        `The database "${scheme}:" is not one of postgres:, mysql:, libsql: or a file for SQLite.`
      )
  }
}

const withoutPassword = (text: string): string => {
  try {
    const url = new URL(text)
    if (url.password !== "") url.password = "***"
    return url.href
  } catch {
    throw new CommandFailed("The database's address is not a URL.")
  }
}
