/** What is to be reached. */
import { type StoreName, storeNames } from "./Bench.ts"

export interface Target {
  readonly key: string
  readonly says: string
  readonly reached: (value: number) => boolean
}

const atLeast = (key: string, least: number): Target => ({
  key,
  says: `at least ${least}`,
  reached: (value) => value >= least
})

const atMost = (key: string, most: number, unit = ""): Target => ({
  key,
  says: `at most ${most}${unit}`,
  reached: (value) => value <= most
})

const onEach = (target: (store: StoreName) => Target): ReadonlyArray<Target> => storeNames.map(target)

export const targets: ReadonlyArray<Target> = [
  atLeast("verify.4k.standardwebhooks", 5),
  // 1.3 times the time of the bare HMAC.
  atLeast("verify.4k.hmac", 0.77),
  ...onEach((store) => atLeast(`ingest.1.${store}.raw`, 0.9)),
  ...onEach((store) => atLeast(`ingest.16.${store}.raw`, 1.2)),
  ...onEach((store) => atLeast(`ingest.64.${store}.raw`, 1)),
  ...onEach((store) => atMost(`ingest.16.${store}.p99`, 1)),
  ...onEach((store) => atMost(`read.1.${store}.raw`, store === "sqlite" ? 3 : 1.3)),
  ...onEach((store) => atMost(`read.${store}.statements`, 1)),
  ...onEach((store) => atMost(`lag.${store}.p99`, 10, " ms")),
  atMost("import.standalone.effect", 0.25),
  ...onEach((store) => atMost(`growth.${store}.ingest`, 1.3)),
  ...onEach((store) => atMost(`growth.${store}.read`, 1.3)),
  ...onEach((store) => atMost(`soak.${store}.heap`, 1.01))
]
