/** What is to be reached. */
import { type StoreName, storeNames } from "./Bench.ts"

export interface Target {
  /** As in `ingest.1.*.raw`, where the asterisk is each of the stores; or of no store. */
  readonly key: string
  readonly stores: ReadonlyArray<StoreName>
  readonly says: string
  readonly reached: (value: number) => boolean
}

const others = storeNames.filter((store) => store !== "sqlite")

const atLeast = (key: string, least: number, stores: ReadonlyArray<StoreName> = storeNames): Target => ({
  key,
  stores,
  says: `at least ${least}`,
  reached: (value) => value >= least
})

const atMost = (key: string, most: number, stores: ReadonlyArray<StoreName> = storeNames, unit = ""): Target => ({
  key,
  stores,
  says: `at most ${most}${unit}`,
  reached: (value) => value <= most
})

export const targets: ReadonlyArray<Target> = [
  atLeast("verify.4k.standardwebhooks", 5, []),
  // 1.3 times the time of the bare HMAC.
  atLeast("verify.4k.hmac", 0.77, []),
  atMost("import.standalone.effect", 0.25, []),
  atLeast("ingest.1.*.raw", 0.9),
  atLeast("ingest.16.*.raw", 1.2),
  atLeast("ingest.64.*.raw", 1),
  atMost("ingest.16.*.p99", 1),
  // The bare statement is a function call there, and no way to a server and back.
  atMost("read.1.*.raw", 3, ["sqlite"]),
  atMost("read.1.*.raw", 1.3, others),
  atMost("read.1.*.has.raw", 3, ["sqlite"]),
  atMost("read.1.*.has.raw", 1.3, others),
  atMost("read.1.*.owns.raw", 3, ["sqlite"]),
  atMost("read.1.*.owns.raw", 1.3, others),
  // Of the subscription's, which tells the app and has the largest body.
  ...["order", "grant", "customer", "product", "benefit"].map((event) => atMost(`kinds.*.${event}`, 1)),
  atMost("read.1.*.access.cached", 3, ["sqlite"], " µs"),
  // Of the drivers whose statements can be counted.
  atMost("read.*.statements", 1, ["sqlite", "postgres", "mysql", "mariadb"]),
  atMost("lag.*.p99", 10, storeNames, " ms"),
  atMost("growth.*.ingest", 1.3),
  atMost("growth.*.read", 1.3),
  atMost("soak.*.heap", 1.01)
]
