/**
 * What `database` takes, in a host of ours and in a `polar()` without a host: which options each kind of database has, and
 * how its adapter is told. An option more is a line in `DatabaseConfig`, one in `types`, and its name in `optionsOf`.
 */
import * as Options from "@kavach-polar/core/Options"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

export type DatabaseProvider = "sqlite" | "sqlite-native" | "libsql" | "turso" | "postgres" | "mysql"

export interface DatabaseConfig {
  /**
   * `sqlite` and `sqlite-native` are the same here: better-sqlite3. So are `libsql` and `turso`.
   *
   * @example
   * polar({ accessToken, webhookSecret, database: { provider: "sqlite", url: "billing.sqlite" } })
   */
  readonly provider: DatabaseProvider
  /**
   * For SQLite the path of the file, or `:memory:`. For libSQL `libsql://…`, `https://…` or `file:…`.
   *
   * @example
   * polar({ accessToken, webhookSecret, database: { provider: "mysql", url: "mysql://app@127.0.0.1/app" } })
   */
  readonly url?: string | undefined
  /**
   * In place of `url`: what your app has already, which is used and never closed. A pool of pg, postgres.js, a pool of mysql2, a
   * database of better-sqlite3, a client of @libsql/client, or a drizzle database on one of these.
   *
   * @example
   * polar({ accessToken, webhookSecret, database: { provider: "postgres", client: pool } })
   */
  readonly client?: object | undefined
  /**
   * libSQL and Turso: what the server lets one in by.
   *
   * @example
   * const authToken = process.env["TURSO_AUTH_TOKEN"]
   * polar({ accessToken, webhookSecret, database: { provider: "turso", url: "libsql://app-acme.turso.io", authToken } })
   */
  readonly authToken?: string | undefined
  /**
   * PostgreSQL and MySQL: at most so many connections at once. Default 10.
   *
   * @example
   * polar({ accessToken, webhookSecret, database: { provider: "postgres", url, maxConnections: 4 } })
   */
  readonly maxConnections?: number | undefined
  /**
   * PostgreSQL and MySQL: how the connection is encrypted, as the driver takes it: `true`, or `{ ca: … }` and the like.
   *
   * @example
   * polar({ accessToken, webhookSecret, database: { provider: "postgres", url, ssl: { ca: process.env["DATABASE_CA"] } } })
   */
  readonly ssl?: boolean | object | undefined
  /**
   * PostgreSQL: whether statements are prepared once for each connection. Default true; where a pooler keeps none, such as
   * PgBouncer before 1.21 or Supabase's port 6543, that is found out and done without, and `false` saves the first try.
   *
   * @example
   * polar({ accessToken, webhookSecret, database: { provider: "postgres", url, prepare: false } })
   */
  readonly prepare?: boolean | undefined
  /**
   * PostgreSQL: `"pg"` is node-postgres, the default; `"postgres"` is postgres.js.
   *
   * @example
   * polar({ accessToken, webhookSecret, database: { provider: "postgres", url, driver: "postgres" } })
   */
  readonly driver?: "pg" | "postgres" | undefined
  /**
   * PostgreSQL and MySQL: what else the driver takes, such as `{ statement_timeout: 10000 }` of node-postgres.
   *
   * @example
   * const driverOptions = { statement_timeout: 10_000 }
   * polar({ accessToken, webhookSecret, database: { provider: "postgres", url, driverOptions } })
   */
  readonly driverOptions?: object | undefined
}

/** Where a database is, and how it is connected to. */
export interface Location {
  readonly url: string
  /** In place of an address: what the app lends. */
  readonly client?: object | undefined
  /** For libSQL only: the others have it in their URL. */
  readonly authToken?: Redacted.Redacted | undefined
  readonly maxConnections?: number | undefined
  readonly ssl?: boolean | object | undefined
  readonly prepare?: boolean | undefined
  readonly driver?: "pg" | "postgres" | undefined
  readonly driverOptions?: object | undefined
  /** Whether the database is left as it is where one of our own would be set up, which is a file of SQLite's journal mode. */
  readonly asItIs?: boolean | undefined
}

/** A `DatabaseConfig` that says where. */
export interface DatabaseAddress extends Location {
  readonly provider: DatabaseProvider
}

/** What is wrong with a `DatabaseConfig`. */
export interface DatabaseProblem extends Options.OptionProblem {
  /** It may only not be there yet, as while a build imports the app. */
  readonly isMissing: boolean
}

const types = {
  provider: Options.oneOf("sqlite", "sqlite-native", "libsql", "turso", "postgres", "mysql"),
  url: Options.optional(Options.anyText),
  client: Options.optional(
    Options.said(
      Schema.declare(
        (value): value is object => (typeof value === "object" && value !== null) || typeof value === "function"
      ),
      "it must be a pool, a client or a drizzle database"
    )
  ),
  authToken: Options.optional(Options.anyText),
  maxConnections: Options.optional(Options.positiveWhole("a number of connections, 1 or more")),
  ssl: Options.optional(
    Options.said(
      Schema.Union(Schema.Boolean, Schema.Object),
      "it must be true, false, or an object with the driver's options"
    )
  ),
  prepare: Options.optional(Options.boolean),
  driver: Options.optional(Options.oneOf("pg", "postgres")),
  driverOptions: Options.optional(Options.foreign<object>("it must be an object with the driver's options"))
}

const databaseSchema: Schema.Schema<Options.Given<DatabaseConfig>> = Schema.Struct({
  ...types,
  provider: Options.optional(types.provider)
})

const problemOf = Options.optionProblem(databaseSchema)

const always: ReadonlyArray<keyof DatabaseConfig> = ["provider", "url", "client"]

/** What a database has besides its provider and its address. */
const optionsOf: Readonly<Record<DatabaseProvider, ReadonlyArray<keyof DatabaseConfig>>> = {
  sqlite: [],
  "sqlite-native": [],
  libsql: ["authToken"],
  turso: ["authToken"],
  postgres: ["maxConnections", "ssl", "prepare", "driver", "driverOptions"],
  mysql: ["maxConnections", "ssl", "driverOptions"]
}

/** Tells the address from what cannot be one, which it explains. */
export const addressOf = (config: DatabaseConfig): Either.Either<DatabaseAddress, DatabaseProblem> => {
  const wrong = (option: string, problem: string, isMissing = false) => Either.left({ option, problem, isMissing })
  const found = problemOf(config)
  if (found !== undefined) return wrong(found.option, found.problem)
  const { authToken, provider, ...rest } = config
  if (provider === undefined) return wrong("provider", "it is missing")
  for (const [option, value] of Object.entries(config)) {
    if (value === undefined || always.some((name) => name === option)) continue
    if (!optionsOf[provider].some((name) => name === option)) {
      const others = providers.filter((other) => optionsOf[other].some((name) => name === option))
      return wrong(option, `${provider} has no such option. It is for ${others.join(" and ")}`)
    }
  }
  if (config.client !== undefined) {
    const besides = Object.entries(config).find(
      ([option, value]) => value !== undefined && option !== "provider" && option !== "client"
    )
    if (besides !== undefined) return wrong(besides[0], "it is of no use beside client, which has its own connections")
    return Either.right({ provider, url: "", client: config.client, authToken: undefined })
  }
  const url = Options.pastedText(config.url)
  if (url === "") return wrong("url", "it is missing", true)
  if ((provider === "postgres" || provider === "mysql") && !URL.canParse(url)) {
    return wrong("url", `it is not an address such as ${provider}://user:password@host/database`)
  }
  if (provider === "libsql" || provider === "turso") {
    if (!/^(libsql:|https?:|wss?:|file:|:memory:$)/i.test(url)) {
      return wrong("url", "it is not an address such as libsql://host or file:billing.db")
    }
    const token = Options.pastedText(authToken)
    if (authToken !== undefined && token === "") return wrong("authToken", "it is blank", true)
    return Either.right({
      ...rest,
      provider,
      url,
      authToken: authToken === undefined ? undefined : Redacted.make(token)
    })
  }
  return Either.right({ ...rest, provider, url, authToken: undefined })
}

const providers: ReadonlyArray<DatabaseProvider> = ["libsql", "turso", "postgres", "mysql"]

/** As a sentence that begins with the option. */
export const described = ({ option, problem }: DatabaseProblem): string =>
  option === "" ? problem : problem.startsWith("it ") ? `${option} ${problem.slice(3)}` : `${option}: ${problem}`
