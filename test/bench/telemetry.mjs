/**
 * What telemetry costs: a webhook and `access()` without the option, with it and no SDK, and with an SDK that records, in turn in
 * one run. Run `npm run build` first, then
 *
 *   node test/bench/telemetry.mjs [--against ../before] [--rounds 15]
 *
 * `--against` adds another checkout that is built, without the option. Ratios say more than times: the machine is shared.
 */
import { fork } from "node:child_process"
import { createHmac } from "node:crypto"
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"

const here = resolve(import.meta.dirname, "../..")
const secret = "measured, and known to everybody"
const deliveries = 100
const questions = 1000

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]

const measured = async ({ mode, root }) => {
  const load = (path) => import(join(root, "packages", path))
  const { polar } = await load("http/dist/index.js")
  const { SqliteStore } = await load("adapter-sqlite/dist/index.js")
  if (mode === "SDK") {
    const { context, metrics, trace } = await import("@opentelemetry/api")
    const { AsyncLocalStorageContextManager } = await import("@opentelemetry/context-async-hooks")
    const { MeterProvider } = await import("@opentelemetry/sdk-metrics")
    const { BasicTracerProvider, BatchSpanProcessor } = await import("@opentelemetry/sdk-trace-base")
    const nowhere = { export: (_, done) => done({ code: 0 }), shutdown: async () => {}, forceFlush: async () => {} }
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(nowhere)] }))
    metrics.setGlobalMeterProvider(new MeterProvider())
  }
  const billing = polar({
    accessToken: "polar_oat_measured",
    webhookSecret: secret,
    apiBaseUrl: "http://127.0.0.1:9",
    reconcileEveryHours: false,
    externalIds: "trust",
    refreshWhenDenied: false,
    logLevel: "none",
    store: SqliteStore.layer({ filename: ":memory:" }),
    onSubscriptionChange: () => {},
    ...(mode === "no SDK" || mode === "SDK" ? { telemetry: {} } : {})
  })
  await billing.start()
  const text = readFileSync(join(here, "test/fixtures/polar-webhooks/subscription.active.json"), "utf8")
  const event = JSON.parse(text)
  let count = 0
  const signed = () => {
    const id = `evt_${++count}`
    const body = JSON.stringify({
      ...event,
      data: {
        ...event.data,
        id: `sub_${count}`,
        customer_id: `cus_${count}`,
        customer: { ...event.data.customer, id: `cus_${count}`, external_id: `user_${count}` }
      }
    })
    const timestamp = Math.floor(Date.now() / 1000)
    const signature = createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`).digest("base64")
    return new Request("https://app.example.com/auth/polar/webhook", {
      method: "POST",
      body,
      headers: { "webhook-id": id, "webhook-timestamp": String(timestamp), "webhook-signature": `v1,${signature}` }
    })
  }
  const webhooks = async () => {
    const times = []
    for (const request of Array.from({ length: deliveries }, signed)) {
      const begun = process.hrtime.bigint()
      const { status } = await billing.webhook(request)
      times.push(Number(process.hrtime.bigint() - begun) / 1000)
      if (status !== 200) throw new Error(`a delivery was answered ${status}`)
    }
    await billing.settled()
    return median(times)
  }
  const access = async () => {
    const begun = process.hrtime.bigint()
    for (let asked = 0; asked < questions; asked++) await billing.access("user_1")
    return Number(process.hrtime.bigint() - begun) / 1000 / questions
  }
  if ((await billing.access("user_1")).entitlement !== "denied") throw new Error("access before anything came")
  await webhooks()
  await access()
  process.on("message", async (what) => process.send(await (what === "webhook" ? webhooks() : access())))
  process.send("ready")
}

const run = async () => {
  const { against, rounds } = parseArgs({
    options: { against: { type: "string" }, rounds: { type: "string", default: "15" } }
  }).values
  const modes = [
    ...(against === undefined ? [] : [{ mode: "before", root: resolve(against) }]),
    ...["absent", "no SDK", "SDK"].map((mode) => ({ mode, root: here }))
  ]
  const children = await Promise.all(
    modes.map(async (one) => {
      const child = fork(import.meta.filename, [JSON.stringify(one)])
      child.setMaxListeners(0)
      const next = () =>
        new Promise((done, failed) => {
          child.once("message", done)
          child.once("exit", (code) => failed(new Error(`${one.mode} has ended with ${code}`)))
        })
      await next()
      const ask = (what) => {
        const answer = next()
        child.send(what)
        return answer
      }
      return { ...one, child, ask, found: { webhook: [], access: [] } }
    })
  )
  for (let round = 0; round < Number(rounds); round++) {
    for (const what of ["webhook", "access"]) {
      // Each begins a round as often as the others.
      for (let place = 0; place < children.length; place++) {
        const one = children[(place + round) % children.length]
        one.found[what].push(await one.ask(what))
      }
    }
  }
  const base = children.find(({ mode }) => mode === "absent")
  for (const what of ["webhook", "access"]) {
    for (const { found, mode } of children) {
      const ratio = median(found[what].map((value, round) => value / base.found[what][round]))
      process.stdout.write(
        `${what.padEnd(8)} ${mode.padEnd(7)} ${median(found[what]).toFixed(1).padStart(8)} µs  ${ratio.toFixed(2)} of absent\n`
      )
    }
  }
  for (const { child } of children) child.kill()
}

await (process.send === undefined ? run() : measured(JSON.parse(process.argv[2])))
