/** The benchmark in a tiny form: that it measures what it says, and says it in the form that others read. No times. */
import { execFile } from "node:child_process"
import { resolve } from "node:path"
import { promisify } from "node:util"
import { assert, describe, test } from "vitest"
import { type Contender, checkEffect } from "./Arena.ts"
import { eventAt, type Plan } from "./deliveries.ts"
import type { PartRecord } from "./PartRecord.ts"
import { withTables } from "./pages.ts"
import { median, percentile, spread } from "./statistics.ts"
import { ours } from "./subjects/tables.ts"

const run = promisify(execFile)

const bench = (...args: ReadonlyArray<string>) =>
  run(process.execPath, ["test/bench/run.mjs", ...args], { cwd: resolve(import.meta.dirname, "../..") })

describe("statistics", () => {
  test("the median is in the middle, or between the two that are", () => {
    assert.strictEqual(median([3, 1, 2]), 2)
    assert.strictEqual(median([4, 1, 3, 2]), 2.5)
    assert.throws(() => median([]))
  })

  test("a percentile is the smallest value that so many do not exceed", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
    assert.strictEqual(percentile(hundred, 0.99), 99)
    assert.strictEqual(percentile(hundred, 0.5), 50)
    assert.strictEqual(percentile([7], 0.99), 7)
  })

  test("a spread has the least and the most", () => {
    assert.deepStrictEqual(spread([5, 9, 1]), { median: 5, least: 1, most: 9 })
  })
})

const record: PartRecord = {
  part: "lag",
  store: "sqlite",
  server: "SQLite 3",
  durability: "synchronous=FULL",
  date: "2026-11-24",
  command: "npm run bench",
  commit: "0000000",
  machine: "2 cores",
  versions: {},
  comparisons: [],
  figures: [{ key: "lag.sqlite.p99", unit: "ms", value: 12.345 }]
}

test("tables stand between their marks, and what is yet to be measured is said", () => {
  const marks = (name: string) => `<!-- table ${name} -->\n\nold\n\n<!-- end -->`
  const page = withTables(`before\n${marks("lag")}\n${marks("targets")}\n${marks("soak")}\nafter`, [record])
  assert.include(page, "| lag.sqlite.p99 | 12.3 | ms |")
  assert.include(page, "| lag.*.p99 | at most 10 ms |  | SQLite 12.35 | libSQL, PostgreSQL, ")
  assert.include(page, "To be measured.")
  assert.notInclude(page, "old")
  assert.isTrue(page.startsWith("before\n") && page.endsWith("\nafter"))
})

describe("a turn that did not do the work is no turn", () => {
  const plan: Plan = { turn: 1, count: 10, users: "distinct", repetitions: true }
  const done = { subscriptions: 8, users: 8, deliveries: 8, notifications: 8, newest: eventAt(7) }
  const contender = (row: object): Contender => ({
    name: "ours",
    label: "ours",
    tables: ours,
    ask: () => Promise.reject(new Error("nobody is to be asked")),
    database: {
      store: "sqlite",
      url: "",
      run: async () => [{ ...row }],
      addUsers: async () => {},
      empty: async () => {},
      drop: async () => {}
    }
  })

  test("all of it is enough", () => checkEffect(contender(done), plan))

  for (const [what, count] of Object.entries(done)) {
    test(`too few: ${what}`, async () => {
      const error = await checkEffect(contender({ ...done, [what]: count - 1 }), plan).then(
        () => assert.fail("it passed"),
        (failed: Error) => failed
      )
      assert.include(error.message, `${count - 1} ${what}`)
    })
  }
})

describe("a wrong command says how", () => {
  for (const [args, says] of [
    [["--only", "speed"], 'There is no part "speed"'],
    [["--in-flight", "1,256"], "--in-flight takes 1, 16, 64, and not 256"],
    [["--against", "docs"], "--against docs is not a checkout that is built"]
  ] as const) {
    test(args.join(" "), async () => {
      const error = await bench(...args).then(
        () => assert.fail("it was accepted"),
        (failed: { readonly code: number; readonly stderr: string }) => failed
      )
      assert.strictEqual(error.code, 2)
      assert.include(error.stderr, says)
    })
  }
})

test("verification and ingestion on SQLite: the work was done, and the last line has the ratios", async () => {
  const { stdout } = await bench(
    ...["--only", "verify,ingest", "--store", "sqlite", "--quick", "--rounds", "1", "--seconds", "0.1"]
  )
  const { figures, ratios } = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "")
  const expected = [
    ...["1k", "4k", "32k"].flatMap((size) =>
      ["standardwebhooks", "sdk", "hmac"].map((yardstick) => `verify.${size}.${yardstick}`)
    ),
    ...["1", "16", "64", "16.hot"].flatMap((load) =>
      ["raw", "p99", "cpu"].map((what) => `ingest.${load}.sqlite.${what}`)
    )
  ]
  assert.sameMembers(Object.keys(ratios), expected)
  for (const [key, ratio] of Object.entries(ratios)) assert.isTrue(Number.isFinite(ratio) && Number(ratio) > 0, key)
  assert.isAbove(figures["ingest.64.sqlite.sender"], 0)
}, 120_000)
