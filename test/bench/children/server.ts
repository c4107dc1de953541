/** One of the subjects in a process of its own, and what is asked of it. */
import type { SubjectName } from "../Bench.ts"
import { deliveriesIn, idOf, type Plan } from "../deliveries.ts"
import { percentile } from "../statistics.ts"
import { startBareReads } from "../subjects/bareReads.ts"
import { startCached, startOurs } from "../subjects/ours.ts"
import { startRaw } from "../subjects/raw.ts"
import type { Subject, SubjectSettings } from "../subjects/Subject.ts"
import { answerQuestions, settingsOf } from "./channel.ts"
import { countStatements } from "./countStatements.ts"

export interface ServerSettings extends SubjectSettings {
  readonly subject: Exclude<SubjectName, "before">
}

export type Call = "getSubscription" | "access" | "has" | "owns" | "createCheckout"

export type ServerQuestion =
  | { readonly what: "port" }
  /** Microseconds of CPU time so far, user and system. */
  | { readonly what: "cpu" }
  /** Bytes, after a garbage collection. */
  | { readonly what: "memory" }
  /** Calls a function for these users, in turn, so many at once. */
  | {
      readonly what: "call"
      readonly call: Call
      readonly userIds: ReadonlyArray<string>
      readonly times: number
      readonly inFlight: number
    }
  /** How many statements one call sends to the database; `null` where that cannot be seen. */
  | { readonly what: "statements"; readonly call: Call; readonly userId: string }
  /** Forgets what was seen, and from here on takes down when deliveries are answered and the app is told. */
  | { readonly what: "watch"; readonly plan: Plan }
  /** Milliseconds from the answer to the call of the app, for each delivery of the plan. */
  | { readonly what: "lags" }

export interface Memory {
  readonly heap: number
  readonly rss: number
}

/** Microseconds. */
export interface Calls {
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
}

const starters = { ours: startOurs, cached: startCached, raw: startRaw, bareReads: startBareReads }

const { subject: name, ...settings } = settingsOf<ServerSettings>()
const subject: Subject = await starters[name](settings)

const functionOf = (call: Call): ((userId: string) => unknown) => {
  const found = subject[call]
  if (found === undefined) throw new Error(`${name} has no ${call}`)
  return found
}

const callMany = async (
  call: (userId: string) => unknown,
  userIds: ReadonlyArray<string>,
  times: number,
  inFlight: number
): Promise<Calls> => {
  const latencies: Array<number> = []
  let next = 0
  const worker = async () => {
    while (next < times) {
      const userId = userIds[next % userIds.length] ?? ""
      next += 1
      const began = performance.now()
      await call(userId)
      latencies.push(performance.now() - began)
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: inFlight }, worker))
  const seconds = (performance.now() - began) / 1000
  return {
    p50: percentile(latencies, 0.5) * 1000,
    p99: percentile(latencies, 0.99) * 1000,
    perSecond: times / seconds
  }
}

/** By the subscription's id. */
const answeredAt = new Map<string, number>()
const notifiedAt = new Map<string, number>()

const watch = (plan: Plan): void => {
  const subscriptions = new Map<string, string>()
  for (let n = 0; n < deliveriesIn(plan); n++) {
    subscriptions.set(idOf("delivery", plan.turn, n), idOf("subscription", plan.turn, n))
  }
  answeredAt.clear()
  notifiedAt.clear()
  // A repetition is answered later than the delivery, and is not what made the change.
  const note = (times: Map<string, number>, id: string) => {
    if (!times.has(id)) times.set(id, performance.now())
  }
  subject.onAnswered?.((deliveryId) => {
    const id = subscriptions.get(deliveryId ?? "")
    if (id !== undefined) note(answeredAt, id)
  })
  subject.onNotified?.((id) => note(notifiedAt, id))
}

const lags = (): ReadonlyArray<number> =>
  [...answeredAt].flatMap(([id, answered]) => {
    const notified = notifiedAt.get(id)
    // The app may be told before the answer is made: then it did not wait.
    return notified === undefined ? [] : [Math.max(notified - answered, 0)]
  })

const memory = async (): Promise<Memory> => {
  // Twice, with time between: what was finalized in the first is collected in the second.
  globalThis.gc?.()
  await new Promise((resolve) => setTimeout(resolve, 20))
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed, rss }
}

answerQuestions<ServerQuestion>(
  (question) => {
    switch (question.what) {
      case "port":
        return subject.port
      case "cpu": {
        const { system, user } = process.cpuUsage()
        return system + user
      }
      case "memory":
        return memory()
      case "call":
        return callMany(functionOf(question.call), question.userIds, question.times, question.inFlight)
      case "statements":
        return countStatements(settings.store, () => functionOf(question.call)(question.userId))
      case "watch":
        return watch(question.plan)
      case "lags":
        return lags()
    }
  },
  () => subject.close()
)
