/** docs/performance.json, where each part of a run takes the place of the one before, and the tables that are made of it. */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { type Comparison, type StoreName, storeNames } from "./Bench.ts"
import type { PartRecord } from "./PartRecord.ts"
import { partNames } from "./parts/parts.ts"
import { cells, columns, shown, shownSpread } from "./report.ts"
import { targets } from "./targets.ts"

const names: Readonly<{ [Name in StoreName]: string }> = {
  sqlite: "SQLite",
  libsql: "libSQL",
  postgres: "PostgreSQL",
  "postgres-js": "postgres.js",
  mysql: "MySQL",
  mariadb: "MariaDB"
}

/** Keeps what was found, and writes the tables anew. */
export const writePages = (root: string, found: ReadonlyArray<PartRecord>): void => {
  const json = resolve(root, "docs/performance.json")
  const page = resolve(root, "docs/performance.md")
  const before: ReadonlyArray<PartRecord> = existsSync(json) ? JSON.parse(readFileSync(json, "utf8")).records : []
  const placeOf = ({ part, store }: PartRecord): number =>
    partNames.indexOf(part) * 10 + (store === null ? 0 : storeNames.indexOf(store))
  const replaced = new Set(found.map(placeOf))
  const records = [...before.filter((record) => !replaced.has(placeOf(record))), ...found].sort(
    (one, other) => placeOf(one) - placeOf(other)
  )
  writeFileSync(json, JSON.stringify({ records }))
  writeFileSync(page, withTables(readFileSync(page, "utf8"), records))
  const biome = resolve(root, "node_modules/.bin/biome")
  execFileSync(biome, ["format", "--write", json, page], { cwd: root, stdio: "ignore" })
}

/** The page with new tables between its marks: `<!-- table NAME -->` and `<!-- end -->`. */
export const withTables = (page: string, records: ReadonlyArray<PartRecord>): string =>
  page.replace(/(<!-- table (\w+) -->\n)[\s\S]*?(<!-- end -->)/g, (_, begin: string, name: string, end: string) => {
    const rows = tableOf(name, records)
    return `${begin}\n${rows.length <= 1 ? "To be measured." : markdown(rows)}\n\n${end}`
  })

type Rows = ReadonlyArray<ReadonlyArray<string>>

const markdown = ([head = [], ...rows]: Rows): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n")

const tableOf = (name: string, records: ReadonlyArray<PartRecord>): Rows => {
  if (name === "targets") return targetRows(records)
  if (name === "conditions") return conditionRows(records)
  const own = records.filter(({ part }) => part === name)
  if (name === "ingest") return ingestRows(own)
  const comparisons = own.flatMap((record) => record.comparisons)
  if (comparisons.length > 0) return [columns, ...comparisons.map(cells)]
  return figureRows(own)
}

const figureRows = (records: ReadonlyArray<PartRecord>): Rows => [
  ["key", "value", "unit"],
  ...records.flatMap(({ figures }) => figures.map(({ key, unit, value }) => [key, shown(value), unit]))
]

const targetRows = (records: ReadonlyArray<PartRecord>): Rows => {
  const values = new Map<string, number>()
  for (const { comparisons, figures } of records) {
    for (const { key, ratio } of comparisons) values.set(key, ratio)
    for (const { key, value } of figures) values.set(key, value)
  }
  const toBeMeasured = "to be measured"
  return [
    ["key", "target", "reached", "not reached", toBeMeasured],
    ...targets.map(({ key, reached, says, stores }) => {
      const found = (stores.length === 0 ? [null] : stores).map((store) => {
        const value = values.get(key.replace("*", store ?? ""))
        const name = store === null ? "" : names[store]
        return {
          column: value === undefined ? toBeMeasured : reached(value) ? "reached" : "not reached",
          shown: value === undefined ? name || "yes" : `${name} ${value.toFixed(2)}`.trim()
        }
      })
      const shownIn = (column: string) => found.flatMap((one) => (one.column === column ? [one.shown] : [])).join(", ")
      return [key, says, shownIn("reached"), shownIn("not reached"), shownIn(toBeMeasured)]
    })
  ]
}

const conditionRows = (records: ReadonlyArray<PartRecord>): Rows => [
  ["part", "date", "commit", "command", "server", "settings"],
  ...records.map(({ command, commit, date, durability, part, server }) => [
    part,
    date,
    commit,
    `\`${command}\``,
    server ?? "",
    durability ?? ""
  ])
]

/** One line for each load, where the keys alone would make three. */
const ingestRows = (records: ReadonlyArray<PartRecord>): Rows => [
  ["store", "users", "in flight", "ours", "raw", "ours / raw", "p99 ours, raw (ms)", "CPU ours, raw (µs)"],
  ...records.flatMap(({ comparisons, store }) =>
    comparisons
      .filter(({ key }) => key.endsWith(".raw"))
      .map((raw) => {
        const base = raw.key.slice(0, -".raw".length)
        const of = (what: string) => comparisons.find(({ key }) => key === `${base}.${what}`)
        return [
          store === null ? "" : names[store],
          base.includes(".hot.") ? "one" : "each another",
          base.split(".")[1] ?? "",
          shownSpread(raw.ours),
          shownSpread(raw.theirs),
          raw.ratio.toFixed(2),
          both(of("p99")),
          both(of("cpu"))
        ]
      })
  )
]

const both = (found: Comparison | undefined): string =>
  found === undefined ? "" : `${shown(found.ours.median)}, ${shown(found.theirs.median)}`
