/** The store contract on MySQL and MariaDB. */
import { describe } from "@effect/vitest"
import { storeContract } from "@kavach-polar/core/testing"
import { serverUrl } from "../servers/serverUrl.ts"
import { lentConnection, lentPool, ownPool } from "../store/MysqlHarness.ts"

for (const [server, name] of [
  ["mysql", "MySQL"],
  ["mariadb", "MariaDB"]
] as const) {
  const url = serverUrl(server)

  describe.skipIf(url === undefined)(name, () => {
    if (url === undefined) return

    storeContract({ name: `${name}, a pool of its own`, layer: ownPool(url), hasDatabase: true })

    // As odd as a pool of an app's can be, and still right.
    storeContract({
      name: `${name}, a pool of the app's with its own time zone`,
      layer: lentPool(
        url,
        { timezone: "+05:30", dateStrings: true, supportBigNumbers: true, bigNumberStrings: true, rowsAsArray: true },
        [
          "SET SESSION time_zone = '-07:00', sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'",
          "SET NAMES gbk",
          "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"
        ]
      ),
      hasDatabase: true
    })

    storeContract({
      name: `${name}, a pool of the app's without FOUND_ROWS`,
      layer: lentPool(url, { timezone: "local", flags: ["-FOUND_ROWS"], connectionLimit: 1, namedPlaceholders: true }, [
        "SET SESSION time_zone = '+09:00', sql_mode = ''"
      ]),
      hasDatabase: true
    })

    storeContract({ name: `${name}, one connection of the app's`, layer: lentConnection(url), hasDatabase: true })
  })
}
