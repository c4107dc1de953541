/** Which database a command works on. */
import { existsSync } from "node:fs"
import * as Either from "effect/Either"
import { addressOf, type DatabaseAddress, described } from "../host/databaseOptions.ts"
import { CommandFailed, type Terminal, wrong } from "./Terminal.ts"

export interface Database {
  readonly address: DatabaseAddress
  /** The address without what lets one in. */
  readonly shown: string
}

/** The one that the option names, or else DATABASE_URL. Nothing is assumed: a command is not to make one of its own. */
export const databaseOf = (option: string | undefined, env: Terminal["env"]): Database => {
  const given = option ?? env["DATABASE_URL"]
  if (given === undefined) {
    throw wrong(
      "Which database? Set DATABASE_URL, or name it with --database: postgres://…, mysql://…, libsql://… or a file of SQLite. That of the demo is data/billing.sqlite."
    )
  }
  return databaseAt(given, env)
}

/** As `databaseOf`, for what works on tables that are there: a file of SQLite that is missing is not made. */
export const existingDatabaseOf = (option: string | undefined, env: Terminal["env"]): Database => {
  const database = databaseOf(option, env)
  const { provider, url } = database.address
  if (provider === "sqlite" && !existsSync(url)) {
    throw new CommandFailed(`There is no file ${url}. kavach-polar migrate makes it.`)
  }
  return database
}

/** By the scheme of the URL; without one it is a file of SQLite. */
export const databaseAt = (given: string, env: Terminal["env"]): Database => {
  if (given.trim() === "") throw wrong("The database is blank. Set DATABASE_URL to a database, or unset it.")
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(given)?.[1]?.toLowerCase()
  switch (scheme) {
    case undefined:
      return fileAt(given)
    case "file":
      return fileAt(given.replace(/^file:\/\//i, ""))
    case "libsql":
      return at({ provider: "libsql", url: given, authToken: env["DATABASE_AUTH_TOKEN"] }, shownOf(given))
    case "postgres":
    case "postgresql":
      return at({ provider: "postgres", url: given }, shownOf(given))
    case "mysql":
    case "mariadb":
      return at({ provider: "mysql", url: given.replace(/^mariadb:/i, "mysql:") }, shownOf(given))
    default:
      throw wrong(`The database "${scheme}:" is not one of postgres:, mysql:, libsql: or a file of SQLite.`)
  }
}

/** What looks like an address whose slashes were mistyped is no name of a file: it may hold a password. */
const fileAt = (given: string): Database => {
  const path = given.replace(/^file:/i, "")
  if (/^(postgres|postgresql|mysql|mariadb|libsql|https?|wss?):/i.test(path) || /:[^/\\]*@/.test(path)) {
    throw wrong("The database's address is neither a URL such as postgres://user:password@host/name nor a file.")
  }
  return at({ provider: "sqlite", url: path }, path)
}

const at = (config: Parameters<typeof addressOf>[0], shown: string): Database => ({
  address: Either.getOrThrowWith(addressOf(config), (problem) => wrong(`The database: ${described(problem)}.`)),
  shown
})

/** The address as it may be printed: the user, the password and all options may let one in. */
export const shownOf = (text: string): string => {
  if (!URL.canParse(text)) throw wrong("The database's address is not a URL.")
  const url = new URL(text)
  return `${url.protocol}//${url.host}${url.pathname}`
}
