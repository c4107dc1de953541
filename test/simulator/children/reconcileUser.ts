/** Another process of the app, which compares one user with Polar: file, address of Polar's API, token, user. */
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { polar } from "@kavach-polar/http"

const [filename = "", apiBaseUrl = "", accessToken = "", userId = ""] = process.argv.slice(2)

const billing = polar({
  accessToken,
  apiBaseUrl,
  webhookSecret: "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE=",
  logLevel: "none",
  store: SqliteStore.layer({ filename })
})
const { discrepancyCount } = await billing.reconcile(userId)
await billing.dispose()
process.stdout.write(String(discrepancyCount))
