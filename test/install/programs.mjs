/** What the apps of the walk are made of. They are strangers: nothing here imports anything of this repository. */

const secret = "whsec_bmV3Y29tZXI6IGEgc2VjcmV0IGZvciBhIHdhbGsgMQ=="

const refused = `polar({
  accessToken: "polar_oat_a_newcomers_token",
  webhookSecret: "${secret}",
  logLevel: "none",
  database: { provider: "postgres", url: "postgres://app:secret@127.0.0.1:9/app" }
})`

export const programs = {
  /** A signed delivery on libSQL in memory. It does not dispose of anything, and has to end all the same. */
  story: `
import { createHmac } from "node:crypto"
import { readFileSync } from "node:fs"
import { polar, PolarConfigError } from "kavach-polar"

const secret = "${secret}"
const billing = polar({
  accessToken: "polar_oat_a_newcomers_token",
  webhookSecret: secret,
  logLevel: "none",
  database: { provider: "libsql", url: "file:billing.db" }
})
const before = await billing.access("usr_1042")

const event = JSON.parse(readFileSync(process.env.FIXTURE, "utf8"))
const later = new Date(Date.now() + 20 * 86400000).toISOString()
Object.assign(event.data, { current_period_end: later, ends_at: null, cancel_at_period_end: false })
event.timestamp = new Date().toISOString()
const body = JSON.stringify(event)
const seconds = Math.floor(Date.now() / 1000)
const key = Buffer.from(secret.slice("whsec_".length), "base64")
const signature = createHmac("sha256", key).update("evt_1." + seconds + "." + body).digest("base64")
const { status } = await billing.webhook(
  new Request("http://127.0.0.1/webhooks/polar", {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "webhook-id": "evt_1",
      "webhook-timestamp": String(seconds),
      "webhook-signature": "v1," + signature
    }
  })
)
await billing.linkCustomer("usr_1042", event.data.customer_id).catch(() => {})
const after = await billing.access("usr_1042")
const subscription = await billing.getSubscription("usr_1042")

const wrong = (() => {
  try {
    return polar({ webhookSecrets: secret })
  } catch (error) {
    return error
  }
})()
const away = await ${refused}.access("usr_1042").catch((error) => error)
console.log(
  before.entitlement, status, after.entitlement, subscription?.status,
  wrong._tag, wrong instanceof PolarConfigError && wrong instanceof Error, away._tag
)
`,

  common: `
const { polar } = require("kavach-polar")
console.log(typeof polar)
`,

  commonTypes: `
import { polar, type PolarBilling } from "kavach-polar"
export const billing: PolarBilling = polar({ accessToken: "a", webhookSecret: "b" })
`,

  errors: `
import { type Access, NotConnected, type Order, PolarConfigError, type Subscription } from "kavach-polar"
export const told = (error: unknown): string => {
  if (error instanceof PolarConfigError) return error.field satisfies string
  return error instanceof NotConnected ? error._tag satisfies "NotConnected" : "other"
}
export const days = ({ until }: Access): number => (until === null ? 0 : until.getDate())
export const facts = (order: Order, subscription: Subscription): ReadonlyArray<string> => [
  order.id, order.status, subscription.productId, subscription.customer.id
]
// What is no option is an error of the types, too.
// @ts-expect-error
export type Wrong = Parameters<typeof import("kavach-polar").polar>[0]["acessToken"]
`,

  bundled: `
import { polar } from "kavach-polar"
const billing = ${refused}
billing.access("usr_1042").then(console.log, (error) => console.log(error._tag, error.reason, error.message))
`,

  webpack: `
import webpack from "webpack"
const config = {
  entry: "./bundled.mjs",
  target: "node20",
  mode: "production",
  optimization: { minimize: false },
  experiments: { outputModule: true },
  output: { path: import.meta.dirname + "/webpack-out", filename: "out.mjs", module: true, chunkFormat: "module" }
}
webpack(config, (error, stats) => {
  console.log("errors:", error === null ? stats.compilation.errors.length : error)
  for (const one of stats?.compilation.errors ?? []) console.log(one.message)
})
`,

  vite: `
const output = { entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" }
export default {
  build: { ssr: "bundled.mjs", outDir: "vite-out", target: "node20", rollupOptions: { output } },
  ssr: { noExternal: true }
}
`,

  nextTsconfig: {
    compilerOptions: {
      target: "es2022",
      lib: ["dom", "dom.iterable", "es2023"],
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      module: "esnext",
      moduleResolution: "bundler",
      allowImportingTsExtensions: true,
      resolveJsonModule: true,
      isolatedModules: true,
      esModuleInterop: true,
      jsx: "react-jsx",
      incremental: true,
      plugins: [{ name: "next" }]
    },
    include: ["app", "next-env.d.ts"],
    exclude: ["node_modules"]
  },

  client: `
import { createPolarClient } from "@kavach-polar/client"
import { PolarProvider, useAccess } from "@kavach-polar/client/react"
import { createElement } from "react"
import { renderToString } from "react-dom/server"

const client = createPolarClient({ baseUrl: "http://127.0.0.1:9" })
const failed = await client.access().catch((error) => error.code)
const Gate = () => createElement("p", null, useAccess().isLoading ? "loading" : "loaded")
console.log(failed, renderToString(createElement(PolarProvider, { client }, createElement(Gate))))
`,

  gate: `
"use client"
import { createPolarClient } from "@kavach-polar/client"
import { PolarProvider, useAccess } from "@kavach-polar/client/react"

const client = createPolarClient({ baseUrl: "/api/kavach" })
const Paid = () => <p>{useAccess({ product: "pro" }).isLoading ? "loading" : "loaded"}</p>
export const Gate = () => <PolarProvider client={client}><Paid /></PolarProvider>
`,

  page: `
import { Gate } from "./Gate"
export default function Page() {
  return <Gate />
}
`,

  nextOwnRequest: `
import { cookies } from "next/headers"
import { after } from "next/server"
import { billing } from "../../../auth/polar/[...route]/billing.ts"

const handler = billing.handler({
  basePath: "/api/billing",
  getUser: async () => {
    const id = (await cookies()).get("session")?.value
    return id === undefined ? null : { id }
  },
  waitUntil: after
})

export { handler as GET, handler as POST }
`,

  layout: `
export default function Layout({ children }: { children: React.ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
`,

  route: `
import { polar } from "kavach-polar"
const billing = ${refused}
export const dynamic = "force-dynamic"
export const GET = async () =>
  new Response(await billing.access("usr_1042").then(
    ({ entitlement }) => entitlement,
    (error: { _tag: string; reason: string }) => error._tag + " " + error.reason
  ))
`
}
