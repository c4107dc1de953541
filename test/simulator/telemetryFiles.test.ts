/** The dashboard, the alert rules and the page, held against what Prometheus really scrapes. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import * as Metrics from "@kavach-polar/core/Metrics"
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus"
import { MeterProvider } from "@opentelemetry/sdk-metrics"
import { parser } from "@prometheus-io/lezer-promql"
import Database from "better-sqlite3"
import { beforeAll, describe, expect, test, vi } from "vitest"
import { parse } from "yaml"
import { userId, withScene } from "./BillingScene.ts"

/** Of each metric, as Prometheus has it, the names of its labels. Of a histogram the buckets'. */
let scraped: ReadonlyMap<string, ReadonlySet<string>> = new Map()
let types: ReadonlyMap<string, string> = new Map()

const folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
const filename = join(folder, "app.db")

beforeAll(async () => {
  const exporter = new PrometheusExporter({ preventServerStart: true })
  const meterProvider = new MeterProvider({ readers: [exporter] })
  const server = createServer((request, response) => exporter.getMetricsRequestHandler(request, response))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  try {
    await withScene(
      {},
      {
        store: SqliteStore.layer({ filename }),
        telemetry: { traces: false, meterProvider },
        callback: { attempts: 2 },
        onPurchase: () => {},
        onSubscriptionChange: () => {
          throw new Error("not today")
        }
      },
      async (scene) => {
        const { billing } = scene
        await scene.buy()
        await billing.webhook(new Request("https://app.example.com/hook", { method: "POST", body: "{}" }))
        await billing.reconcileAll()
        await vi.waitFor(async () => expect(await billing.notifications.dead()).not.toEqual([]), {
          timeout: 30_000,
          interval: 200
        })
        const database = new Database(filename)
        database.exec("UPDATE kavach_polar_records SET data = '{' WHERE kind = 'order'")
        database.close()
        await billing.orders.list(userId)
        const { port } = server.address() as AddressInfo
        const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
        const samples = [...text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)]
        const labels = new Map<string, Set<string>>()
        for (const [, name = "", list = ""] of samples) {
          const known = labels.get(name) ?? new Set()
          for (const [, label = ""] of list.matchAll(/(\w+)="/g)) known.add(label)
          labels.set(name, known)
        }
        scraped = labels
        types = new Map([...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = "", type = ""]) => [name, type]))
      }
    )
  } finally {
    await meterProvider.shutdown()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)

/** What Prometheus itself adds to all that it scrapes. */
const added = ["job", "instance"]

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

const rules: ReadonlyArray<Rule> = (
  parse(readFileSync("docs/grafana/alerts.yaml", "utf8")) as {
    readonly groups: ReadonlyArray<{ readonly rules: ReadonlyArray<Rule> }>
  }
).groups.flatMap(({ rules }) => rules)

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: ReadonlyArray<{ readonly expr: string; readonly legendFormat: string }>
}

const dashboard = JSON.parse(readFileSync("docs/grafana/dashboard.json", "utf8")) as {
  readonly schemaVersion: number
  readonly panels: ReadonlyArray<Panel>
}

const targets = dashboard.panels.flatMap(({ targets = [], title }) =>
  targets.map(({ expr, legendFormat }) => ({ title, expr, legendFormat }))
)

/** Metrics that a query names, and labels: each with those of its metric, and those that it groups by. */
const namesIn = (expr: string) => {
  const query = expr.replaceAll("$__rate_interval", "5m")
  const metrics = new Set<string>()
  const labels = new Set<string>()
  const mistakes: Array<string> = []
  parser.parse(query).iterate({
    enter: ({ from, name, to, type }) => {
      const text = query.slice(from, to)
      if (type.isError) mistakes.push(`at ${from} of ${query}`)
      if (name === "Identifier" && text.startsWith("kavach_polar")) metrics.add(text)
      if (name === "LabelName") labels.add(text)
    }
  })
  return { metrics, labels, mistakes }
}

const cases = [
  ...rules.map(({ alert, expr }) => [`alert ${alert}`, expr] as const),
  ...targets.map(({ expr, title }, place) => [`panel ${title}, ${place}`, expr] as const)
]

describe("queries", () => {
  test.each(cases)("%s asks for what is there", (_, expr) => {
    const { labels, metrics, mistakes } = namesIn(expr)
    expect(mistakes).toEqual([])
    expect(metrics.size).toBeGreaterThan(0)
    const known = new Set(added)
    for (const metric of metrics) {
      expect([...scraped.keys()]).toContain(metric)
      for (const label of scraped.get(metric) ?? []) known.add(label)
    }
    for (const label of labels) expect([...known]).toContain(label)
  })

  test("all that is measured is shown", () => {
    const shown = new Set(targets.flatMap(({ expr }) => [...namesIn(expr).metrics]))
    for (const name of types.keys()) {
      if (!name.startsWith("kavach_polar")) continue
      expect([...shown].filter((one) => one === name || one === `${name}_bucket`)).not.toEqual([])
    }
  })

  test("legends name labels that the query groups by", () => {
    for (const { expr, legendFormat } of targets) {
      const { labels } = namesIn(expr)
      for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect([...labels]).toContain(label)
    }
  })
})

test("the dashboard's panels have ids of their own, and do not lie on each other", () => {
  const { panels, schemaVersion } = dashboard
  expect(schemaVersion).toBeGreaterThanOrEqual(36)
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  for (const [place, one] of panels.entries()) {
    const { h, w, x, y } = one.gridPos
    expect(x + w).toBeLessThanOrEqual(24)
    for (const other of panels.slice(place + 1)) {
      const apart =
        x + w <= other.gridPos.x ||
        other.gridPos.x + other.gridPos.w <= x ||
        y + h <= other.gridPos.y ||
        other.gridPos.y + other.gridPos.h <= y
      expect(apart, `${one.title} and ${other.title}`).toBe(true)
    }
  }
})

describe("docs/telemetry.md", () => {
  const page = readFileSync("docs/telemetry.md", "utf8")
  const cellsBelow = (heading: string) =>
    (page.split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "")
      .split("\n")
      .filter((line) => /^\| `/.test(line))
      .map((line) => line.split("|").map((cell) => cell.trim().replaceAll("`", "")))

  test("has every metric, with its unit, its labels and its name in Prometheus", () => {
    const said = cellsBelow("Metrics").map(([, name, inPrometheus, labels]) => ({ name, inPrometheus, labels }))
    const inPrometheus = (name: string) => {
      const sanitized = name.replaceAll(".", "_")
      return types.has(sanitized) ? sanitized : `${sanitized}_total`
    }
    expect(said).toEqual(
      Metrics.all.map(({ labels, name }) => ({
        name: name.replace("kavach_polar.", ""),
        inPrometheus: inPrometheus(name),
        labels: labels.join(", ")
      }))
    )
    for (const { inPrometheus } of said) expect([...types.keys()]).toContain(inPrometheus)
  })

  test("says what each alert means, and every alert says what helps", () => {
    expect(cellsBelow("Alerts").map(([, alert]) => alert)).toEqual(rules.map(({ alert }) => alert))
    for (const { annotations, labels } of rules) {
      expect(["warning", "critical"]).toContain(labels["severity"])
      expect(annotations["summary"]).toMatch(/\.$/)
      expect(annotations["description"]).not.toBe("")
    }
  })
})
