/**
 * The app of docs/mounts.md for Next, as `npm run install-check` has installed and built it: Next is large, and is installed
 * nowhere else.
 */
import { describe, expect, test } from "vitest"
import { conformance } from "./conformance.ts"
import { startApp, webhookSecret } from "./MountedApp.ts"

/** Where its server is. */
const app = process.env["NEXT_APP"]

if (app === undefined) test.skip("Next: npm run install-check", () => {})
else {
  const command = { command: process.execPath, args: ["server.js"], cwd: app }
  conformance("Next", {
    command: () => command,
    folder: () => app,
    byItself: { wrongMethod: true, trailingSlash: true }
  })

  describe("Next's own cookies() and after()", () => {
    test("find the request of whoever asks, of many at once", { timeout: 60_000 }, async () => {
      const running = await startApp(command, {
        POLAR_ACCESS_TOKEN: "polar_oat_next",
        POLAR_WEBHOOK_SECRET: webhookSecret,
        BILLING_DATABASE: `${app}/own.db`
      })
      try {
        const ask = async (cookie: string) => {
          const response = await fetch(`${running.url}/api/billing/subscription`, { headers: { cookie } })
          return [response.status, await response.json()]
        }
        const asked = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? `session=user_${index}` : "other=1"))
        const answers = await Promise.all(asked.map(ask))
        expect(answers).toEqual(
          asked.map((cookie) =>
            cookie.startsWith("session") ? [200, { subscription: null }] : [401, { error: "Authentication required" }]
          )
        )
      } finally {
        await running.kill()
      }
    })
  })
}
