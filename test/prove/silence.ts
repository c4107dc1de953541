/**
 * The part of the proof `outage` in which the database says nothing: its processes stand still, the network swallows what is
 * sent, or somebody holds the row of a user. Every request is answered in time all the while, a server that is told to stop
 * then stops in time, and one that starts then answers; afterwards nothing is missing.
 */
import { join } from "node:path"
import { type CuttingProxy, cuttingProxy } from "./CuttingProxy.ts"
import { type Load, tell } from "./load.ts"
import { type Answer, makeSender, type PolarSender, pause } from "./PolarSender.ts"
import type { ProofOptions, ProofOutcome, StoreName } from "./Proof.ts"
import type { ProofDatabase } from "./ProofDatabase.ts"
import { launch, type ServerUnderTest } from "./ServerUnderTest.ts"
import { type Story, storyOf } from "./Story.ts"
import { type Random, randomOf } from "./seeded.ts"
import { deliverAll, secret, told } from "./settle.ts"
import { judge } from "./verdict.ts"

/** Where a proof finds the program that it starts, and where it may write. */
export interface Place {
  readonly file: string
  readonly folder: string
}

/** SQLite has no server that could fall silent, and libSQL locks all of a database: the fault "cut" has that. */
export const silentFaultsOn = (store: StoreName): ReadonlyArray<SilentFault> =>
  store === "memory" || store === "sqlite"
    ? []
    : store === "libsql"
      ? ["freeze", "swallow"]
      : ["freeze", "swallow", "lock"]

export type SilentFault = "freeze" | "swallow" | "lock"

/** One way of being silent. */
interface Silence {
  readonly what: string
  readonly millis: number
  /** The answer ends it. */
  readonly begin: () => Promise<() => Promise<void>>
  /** What may be acknowledged meanwhile: nothing, something after a while, or all but what is about one user. */
  readonly stored: "nothing" | "after a while" | "others'"
}

/** Five seconds, and a moment to say so. A machine that is busy needs longer for everything: see `Pulse`. */
const answerMillis = 5500
/** Beyond it nobody listens. */
const patienceMillis = 15_000
/** Ten seconds for what is under way (`NodeServer.ts`), and a moment to end. */
const stopMillis = 11_500
/** How long after a silence, or after new connections go through, deliveries may still be refused. */
const recoveryMillis = 10_000
/** Many times what Polar has under way at once, and no more than two processors serve: a full line has tests of its own. */
const burst = 150
const mostHeapBytes = 96 * 1024 * 1024

export const proveSilence = async (
  { count, driver, isBrief = false, progress, seed }: ProofOptions,
  faults: ReadonlyArray<SilentFault>,
  database: ProofDatabase,
  { file, folder }: Place
): Promise<ProofOutcome> => {
  const violations: Array<string> = []
  const answers: Array<Answer> = []
  const proxy = await cuttingProxy(database.url, randomOf(seed, 1))
  const servers: Array<ServerUnderTest> = []
  const start = (): ServerUnderTest => {
    const server = launch(file, {
      store: database.store,
      driver,
      url: proxy.url,
      secret,
      diary: join(folder, `diary-${servers.length}.jsonl`),
      port: 0,
      callMillis: 40
    })
    servers.push(server)
    return server
  }
  let server = start()
  let url: string | undefined
  // From when on requests may find nobody there.
  let stoppedAt = Infinity
  try {
    url = await server.listening
    const stories = Array.from({ length: 40 }, (_, index) => storyOf(`usr_${index}`, randomOf(seed, index + 10)))
    const locked = storyOf("usr_locked", randomOf(seed, 2))
    await database.addUsers([locked, ...stories].map(({ userId }) => userId))
    const sender = makeSender({
      secret,
      random: randomOf(seed, 4),
      target: () => url,
      onAnswer: (answer) => answers.push(answer),
      timeoutMillis: patienceMillis,
      onTimeout: () => violations.push(`A delivery had no answer within ${patienceMillis / 1000} s.`),
      onBroken: (startedAt) => {
        if (startedAt < stoppedAt - 100) violations.push("The connection of a delivery was closed without an answer.")
      }
    })
    const asking = ask(
      () => url,
      stories,
      randomOf(seed, 5),
      () => stoppedAt
    )
    const load = tell(stories, sender, { lanes: 4, random: randomOf(seed, 3) })
    await pause(1500)
    const firstHeap = await heapOf(url)
    const figures: Record<string, number | string> = {}
    let largestHeap = 0
    let slowestStop = 0
    let slowestRecovery = 0
    let slowestStart = 0

    const endure = async ({ begin, millis, stored, what }: Silence, stops: boolean): Promise<void> => {
      const end = await begin()
      const from = Date.now()
      // Told from now on: what came before the lock would not wait for it, and the next would come too late to be answered.
      const own = stored === "others'" ? tellSlowly(locked, sender) : undefined
      await pause(500)
      // With room for all but one user, nobody is to find the line full.
      if (stored !== "others'") await sendBurst(sender)
      largestHeap = Math.max(largestHeap, await heapOf(url))
      let downFrom = Infinity
      let restartedAt = -Infinity
      if (stops) {
        // Halfway, with all that it has under way by then.
        await pause(Math.max(0, from + millis / 2 - Date.now()))
        stoppedAt = downFrom = Date.now()
        const code = await server.terminate()
        const took = Date.now() - stoppedAt
        slowestStop = Math.max(slowestStop, took)
        if (code !== 0 || took > stopMillis) {
          violations.push(`While ${what}, a server that was told to stop ended with ${code} after ${took} ms.`)
        }
        url = undefined
        const startedAt = Date.now()
        server = start()
        const late = pause(stopMillis).then(() => undefined)
        url = await Promise.race([server.listening, late])
        if (url === undefined) {
          violations.push(`While ${what}, a server that was started did not listen within ${stopMillis} ms.`)
          await end()
          url = await server.listening
        }
        restartedAt = Date.now()
        slowestStart = Math.max(slowestStart, restartedAt - startedAt)
        stoppedAt = Infinity
        await pause(Math.max(0, restartedAt + answerMillis + 500 - Date.now()))
      }
      await pause(Math.max(0, from + millis - Date.now()))
      const until = Date.now()
      await end()
      const back = Date.now()
      await own?.stop()

      const inTime = ({ millis, startedAt }: Answer) => startedAt >= from && startedAt + millis <= until
      const during = answers.filter(inTime)
      const acknowledged = during.filter(({ status }) => status === 200)
      if (during.length === 0) violations.push(`While ${what}, no delivery was answered at all for ${millis} ms.`)
      if (stored === "nothing" && acknowledged.length > 0) {
        violations.push(`While ${what}, ${acknowledged.length} deliveries were acknowledged.`)
      }
      if (stored === "after a while" && !acknowledged.some(({ startedAt }) => startedAt < from + recoveryMillis)) {
        violations.push(`While ${what}, none was acknowledged within ${recoveryMillis / 1000} s over new connections.`)
      }
      if (stored === "others'") {
        const isUp = ({ millis, startedAt }: Answer) => startedAt + millis < downFrom || startedAt > restartedAt
        const others = during.filter((answer) => answer.event.userId !== locked.userId && isUp(answer))
        const refused = others.filter(({ status }) => status !== 200)
        figures["lockOthersAcknowledged"] = Number(figures["lockOthersAcknowledged"] ?? 0) + others.length
        figures["lockOthersSlowestMillis"] = Math.max(
          Number(figures["lockOthersSlowestMillis"] ?? 0),
          ...others.map(({ millis }) => millis)
        )
        if (refused.length > 0) {
          violations.push(`While ${what}, ${refused.length} of ${others.length} deliveries about others were refused.`)
        }
        const own = during.filter(({ event }) => event.userId === locked.userId)
        if (!own.some(({ status }) => status === 503)) violations.push(`While ${what}, nothing waited for that row.`)
      }
      const recovered = () => answers.find(({ startedAt, status }) => startedAt >= back && status === 200)
      while (recovered() === undefined && Date.now() < back + recoveryMillis) await pause(50)
      const first = recovered()
      if (first === undefined) {
        violations.push(`${recoveryMillis / 1000} s after ${what}, deliveries are still refused.`)
      } else slowestRecovery = Math.max(slowestRecovery, first.startedAt + first.millis - back)
      figures[`${what}: answered 200, 503`] =
        `${acknowledged.length}, ${during.filter(({ status }) => status === 503).length}`
    }

    for (let round = 0; round < count; round++) {
      const silences = faults.flatMap((fault) => silencesOf(fault, database, proxy, locked.userId, isBrief))
      for (const [index, silence] of silences.entries()) {
        progress(`round ${round + 1} of ${count}: ${silence.what}`)
        await endure(silence, !isBrief || index === 0)
      }
    }
    await load.stop()
    const byHand = await deliverAll(sender, progress)
    violations.push(...(await told(database, progress)))
    const asked = await asking.stop()
    violations.push(...asked.violations)
    const lastHeap = await heapOf(url)
    if (!server.isRunning()) violations.push(`The server ended by itself: ${await server.exited}`)
    for (const heap of [largestHeap, lastHeap]) {
      if (heap > mostHeapBytes) violations.push(`The heap has grown from ${firstHeap} to ${heap} bytes.`)
    }
    for (const { body, millis, retryAfter, startedAt, status } of answers) {
      if (millis > asked.longest(startedAt, millis))
        violations.push(`A delivery was answered ${status} after ${millis} ms.`)
      if (status === 200) continue
      const right = status === 503 && retryAfter !== null && refusals.includes(body)
      if (!right) violations.push(`A delivery was answered ${status} ${body} with Retry-After ${retryAfter}.`)
    }
    const verdict = await judge({
      database,
      sent: sender.sent,
      stories: [locked, ...stories],
      servers,
      hadOutages: true
    })
    const { attempts, failed, redelivered } = sender.counts()
    return {
      violations: [...violations, ...verdict.violations].map((sentence) => `${sentence} (seed ${seed})`),
      figures: {
        database: database.version,
        rounds: count,
        sent: sender.sent.size,
        attempts,
        answered200: answers.filter(({ status }) => status === 200).length,
        answered503: answers.filter(({ status }) => status === 503).length,
        attemptsFailed: failed,
        redelivered,
        redeliveredByHand: byHand,
        acknowledged: [...sender.sent.values()].filter(({ acknowledgedAt }) => acknowledgedAt !== undefined).length,
        slowestAnswerMillis: Math.max(...answers.map(({ millis }) => millis)),
        slowestAnswerInPeaceMillis: asked.slowestInPeace(answers),
        reads: asked.count,
        readsRefused: asked.refused,
        slowestReadMillis: asked.slowestMillis,
        slowestWithoutDatabaseMillis: asked.slowestPulseMillis,
        slowestStopMillis: slowestStop,
        slowestStartMillis: slowestStart,
        slowestRecoveryMillis: slowestRecovery,
        heapAtFirst: firstHeap,
        heapLargest: largestHeap,
        heapAtLast: lastHeap,
        ...figures,
        notifications: verdict.notifications,
        notificationsDoubled: verdict.doubled
      }
    }
  } finally {
    await Promise.all(servers.map((one) => one.kill()))
    await proxy.close()
  }
}

const refusals: ReadonlyArray<string> = [
  '{"error":"Billing is temporarily unavailable"}',
  '{"error":"The server is shutting down"}'
]

const silencesOf = (
  fault: SilentFault,
  { lockUser, server }: ProofDatabase,
  proxy: CuttingProxy,
  userId: string,
  isBrief: boolean
): ReadonlyArray<Silence> => {
  const millis = isBrief ? 7000 : fault === "lock" ? 60_000 : 20_000
  if (fault === "freeze") {
    if (server === undefined) throw new Error("there is no server to freeze")
    const begin = async () => {
      await server.freeze()
      return server.thaw
    }
    return [{ what: "the database stood still", millis, begin, stored: "nothing" }]
  }
  if (fault === "lock") {
    if (lockUser === undefined) throw new Error("there is no row to lock")
    return [{ what: "a user's row was locked", millis, begin: () => lockUser(userId), stored: "others'" }]
  }
  const swallow = (others: Parameters<CuttingProxy["swallow"]>[0]) => async () => {
    proxy.swallow(others)
    return async () => proxy.mend()
  }
  return [
    { what: "the network swallowed everything", millis, begin: swallow("are swallowed too"), stored: "nothing" },
    { what: "the network swallowed old connections", millis, begin: swallow("pass"), stored: "after a while" }
  ]
}

/** One after the other, as Polar does; what is refused comes again besides. */
const tellSlowly = (story: Story, sender: PolarSender): Load => {
  let stopped = false
  const running = (async () => {
    while (!stopped) {
      await sender.deliver(story.next())
      for (let waited = 0; waited < 3000 && !stopped; waited += 100) await pause(100)
    }
  })()
  return {
    stop: async () => {
      stopped = true
      await running
    }
  }
}

/** Many, all at once: of what was acknowledged before, so that nothing is added. */
const sendBurst = async (sender: PolarSender): Promise<void> => {
  const known = [...sender.sent.values()].filter(({ acknowledgedAt }) => acknowledgedAt !== undefined)
  if (known.length === 0) return
  await Promise.all(Array.from({ length: burst }, (_, index) => again(sender, known, index)))
}

const again = async (
  sender: PolarSender,
  known: ReadonlyArray<{ readonly event: Parameters<PolarSender["again"]>[0] }>,
  index: number
): Promise<void> => {
  const delivery = known[index % known.length]
  if (delivery !== undefined) await sender.again(delivery.event)
}

const heapOf = async (url: string | undefined): Promise<number> =>
  url === undefined ? 0 : Number(await (await fetch(`${url}/heap`)).text())

/** A request that needs no database, and how long it took: so long takes everything on this machine just then. */
interface Pulse {
  readonly startedAt: number
  readonly millis: number
}

interface Asked {
  readonly violations: ReadonlyArray<string>
  readonly count: number
  readonly refused: number
  readonly slowestMillis: number
  readonly slowestPulseMillis: number
  /** How long an answer may take that was asked for then: at both ends of it, the machine may have been busy. */
  readonly longest: (startedAt: number, millis: number) => number
  /** The slowest of those during which the machine had time for everything. */
  readonly slowestInPeace: (answers: ReadonlyArray<Pulse>) => number
}

/** Users' requests, all the while: for their subscription, and for what the app asks of them. */
const ask = (
  target: () => string | undefined,
  stories: ReadonlyArray<Story>,
  random: Random,
  stoppedAt: () => number
): { readonly stop: () => Promise<Asked> } => {
  const violations: Array<string> = []
  const pulses: Array<Pulse> = []
  const reads: Array<Pulse & { readonly path: string; readonly status: number }> = []
  let stopped = false
  const one = async (path: string, take: (status: number, pulse: Pulse) => void): Promise<void> => {
    const url = target()
    if (url === undefined) return
    const startedAt = Date.now()
    try {
      const response = await fetch(`${url}${path}`, {
        headers: { "x-user": stories[random.int(stories.length)]?.userId ?? "" },
        signal: AbortSignal.timeout(patienceMillis)
      })
      await response.text()
      take(response.status, { startedAt, millis: Date.now() - startedAt })
    } catch (error) {
      if (startedAt < stoppedAt() - 100) violations.push(`GET ${path} had no answer: ${error}.`)
    }
  }
  const often = async (path: string, take: (status: number, pulse: Pulse) => void): Promise<void> => {
    const asked: Array<Promise<void>> = []
    while (!stopped) {
      asked.push(one(path, take))
      await pause(250)
    }
    await Promise.all(asked)
  }
  const running = [
    often("/elsewhere", (_, pulse) => void pulses.push(pulse)),
    ...["/auth/polar/subscription", "/access"].map((path) =>
      often(path, (status, pulse) => void reads.push({ ...pulse, path, status }))
    )
  ]
  const pulseOf = (startedAt: number, millis: number): number => {
    const meanwhile = pulses.filter(
      (pulse) => pulse.startedAt <= startedAt + millis && pulse.startedAt + pulse.millis >= startedAt
    )
    return Math.max(0, ...meanwhile.map((pulse) => pulse.millis))
  }
  const longest = (startedAt: number, millis: number): number => answerMillis + 2 * pulseOf(startedAt, millis)
  return {
    stop: async () => {
      stopped = true
      await Promise.all(running)
      for (const { millis, path, startedAt, status } of reads) {
        if ((status !== 200 && status !== 503) || millis > longest(startedAt, millis)) {
          violations.push(`GET ${path} was answered ${status} after ${millis} ms.`)
        }
      }
      return {
        violations,
        count: reads.length,
        refused: reads.filter(({ status }) => status === 503).length,
        slowestMillis: Math.max(0, ...reads.map(({ millis }) => millis)),
        slowestPulseMillis: Math.max(0, ...pulses.map(({ millis }) => millis)),
        longest,
        slowestInPeace: (answers) =>
          Math.max(
            0,
            ...answers.filter(({ millis, startedAt }) => pulseOf(startedAt, millis) < 250).map(({ millis }) => millis)
          )
      }
    }
  }
}
