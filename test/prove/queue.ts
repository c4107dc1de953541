/** The queue of notifications as it stands in the table. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Cluster } from "./Cluster.ts"

export interface Queued {
  readonly id: string
  readonly subscriptionId: string
  readonly state: string
  readonly attempts: number
  readonly lastError: string | null
}

export const queueOf = ({ query }: Cluster): Effect.Effect<ReadonlyArray<Queued>> =>
  Effect.map(query("SELECT id, subject, state, attempts, last_error FROM kavach_polar_notifications"), (rows) =>
    rows.map((row) => ({
      id: String(row["id"]),
      subscriptionId: String(row["subject"]),
      state: String(row["state"]),
      attempts: Number(row["attempts"]),
      lastError: typeof row["last_error"] === "string" ? row["last_error"] : null
    }))
  )

/** Looks again and again until nothing is pending; answers what there is, and whether it came to that in time. */
export const drained = (cluster: Cluster, patience: Duration.DurationInput) =>
  Effect.gen(function* () {
    const deadline = Date.now() + Duration.toMillis(patience)
    for (;;) {
      const queue = yield* queueOf(cluster)
      if (queue.every(({ state }) => state !== "pending")) return { queue, inTime: true }
      if (Date.now() > deadline) return { queue, inTime: false }
      yield* Effect.sleep(Duration.millis(100))
    }
  })

/** The event's time, which a notification's id holds. */
export const eventAtOf = (id: string): number => Number(id.split(":")[1])
