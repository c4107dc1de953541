/** What becomes of a call of Polar's that is answered with a redirect. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import { polar } from "@kavach-polar/http"
import { afterEach, expect, test } from "vitest"
import { product, secret } from "./host.ts"

const closers: Array<() => void> = []

afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** A server that remembers what it was asked, and answers all of it alike. */
const answering = async (status: number, headers: Readonly<Record<string, string>>, body: object) => {
  const asked: Array<string> = []
  const server = createServer((incoming, outgoing) => {
    asked.push(`${incoming.method} ${incoming.url}`)
    incoming.resume().on("end", () => outgoing.writeHead(status, headers).end(JSON.stringify(body)))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { asked, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const opened = { id: "k", url: "https://polar.sh/checkout/x", expires_at: "2026-10-06T14:20:11Z", customer_id: null }

for (const status of [301, 302, 303, 307, 308]) {
  test(`a redirect is an answer, and nobody else is given what was sent: ${status}`, async () => {
    const elsewhere = await answering(201, { "content-type": "application/json" }, opened)
    const there = await answering(status, { location: `${elsewhere.origin}/v1/checkouts/` }, {})
    const billing = polar({
      store: BillingStore.layerMemory,
      webhookSecret: secret,
      accessToken: "polar_oat_InventedInventedInventedInvented0123456",
      apiBaseUrl: there.origin,
      logLevel: "none"
    })
    closers.push(() => void billing.dispose())
    const redirected = expect.stringMatching(/redirects elsewhere, .*; check `apiBaseUrl`/)
    const opening = billing.createCheckout("usr_1042", product, { customerEmail: "ada@acme-mail.dev" })
    await expect(opening).rejects.toMatchObject({ _tag: "PolarUnexpectedAnswer", status, message: redirected })
    await expect(billing.reconcile("usr_1042")).rejects.toMatchObject({ status, message: redirected })
    expect(there.asked).toHaveLength(2)
    expect(elsewhere.asked).toEqual([])
  })
}
