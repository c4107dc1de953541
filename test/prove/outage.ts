/**
 * The proof that an outage is no more than a delay, under load over HTTP. The fault "cut": the database goes away and comes
 * back, its connections are cut in the middle of a step, and Polar's API fails in every way; each round does all of it once.
 * The others, in which the database says nothing: see `silence.ts`.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Scripted from "../../packages/core/test/ScriptedServer.ts"
import { temporaryFolder } from "../e2e/serverProcess.ts"
import { cuttingProxy } from "./CuttingProxy.ts"
import { holdLock, proveReadOnlyFile } from "./fileOutages.ts"
import { tell } from "./load.ts"
import { type Answer, makeSender, pause } from "./PolarSender.ts"
import type { Proof, ProofOptions, ProofOutcome } from "./Proof.ts"
import { type ProofDatabase, withDatabase } from "./ProofDatabase.ts"
import { proveNobodyThere, provePolarFaults } from "./polarFaults.ts"
import { boundMillis, probe } from "./probe.ts"
import { bundleServer, launch } from "./ServerUnderTest.ts"
import { storyOf } from "./Story.ts"
import { randomOf } from "./seeded.ts"
import { deliverAll, secret, told } from "./settle.ts"
import { type Place, proveSilence, silentFaultsOn } from "./silence.ts"
import { judge } from "./verdict.ts"

export const outage: Proof = {
  name: "outage",
  promise:
    "While the database or Polar is away, answers say so in time, and afterwards nothing is missing. Count: rounds.",
  stores: ["sqlite", "libsql", "postgres", "mysql", "mariadb"],
  defaultCount: 3,
  faultsOn: (store) => [...(store === "libsql" ? [] : ["cut"]), ...silentFaultsOn(store)],
  run: async (options) => {
    const { fault, store } = options
    const silent = silentFaultsOn(store).filter((name) => fault === undefined || fault === name)
    const folder = temporaryFolder()
    const bundle = await bundleServer()
    const within = (run: (database: ProofDatabase, place: Place) => Promise<ProofOutcome>, name: string) => {
      const own = join(folder.path, name)
      mkdirSync(own)
      return withDatabase(store, own, (database) => run(database, { file: bundle.file, folder: own }))
    }
    try {
      const outcomes: Array<ProofOutcome> = []
      if ((fault ?? "cut") === "cut" && store !== "libsql") {
        outcomes.push(await within((database, place) => prove(options, database, place), "cut"))
      }
      if (silent.length > 0) {
        outcomes.push(await within((database, place) => proveSilence(options, silent, database, place), "silent"))
      }
      const figures = outcomes.map((outcome) => Object.entries(outcome.figures))
      return {
        violations: outcomes.flatMap(({ violations }) => violations),
        // Those of one kind have the same names as those of the other.
        figures: Object.fromEntries(
          figures.flatMap((list, index) =>
            list.map(([name, value]) => [index === 0 ? name : `${name}InSilence`, value])
          )
        )
      }
    } finally {
      bundle.remove()
      folder.remove()
    }
  }
}

/** Buyers that one round needs: one for each fault at each of two calls, and some to spare. */
const buyersPerRound = 20

const prove = async (
  { count, driver, progress, seed }: ProofOptions,
  database: ProofDatabase,
  { file, folder }: Place
): Promise<ProofOutcome> => {
  const random = randomOf(seed, 0)
  const violations: Array<string> = []
  const answers: Array<Answer> = []
  const scope = await Effect.runPromise(Scope.make())
  const polar = await Effect.runPromise(Scope.extend(Scripted.make, scope))
  const proxy = database.server === undefined ? undefined : await cuttingProxy(database.url, randomOf(seed, 1))
  const server = launch(file, {
    store: database.store,
    driver,
    url: proxy?.url ?? database.url,
    secret,
    diary: join(folder, "diary.jsonl"),
    port: 0,
    callMillis: 40,
    accessToken: "polar_oat_InventedInventedInvented",
    apiBaseUrl: polar.origin
  })
  try {
    const url = await server.listening
    const stories = Array.from({ length: 40 }, (_, index) => storyOf(`usr_${index}`, randomOf(seed, index + 10)))
    const buyers = Array.from({ length: count * buyersPerRound + 1 }, (_, index) => `buyer_${index}`)
    await database.addUsers([...stories.map(({ userId }) => userId), ...buyers])
    const sender = makeSender({
      secret,
      random: randomOf(seed, 2),
      target: () => url,
      onAnswer: (answer) => answers.push(answer),
      timeoutMillis: boundMillis,
      onTimeout: () => violations.push(`A delivery had no answer within ${boundMillis / 1000} s.`)
    })
    const probing = probe(url)
    const load = tell(stories, sender, { lanes: 4, random: randomOf(seed, 3) })
    await pause(1000)

    /** While this lasts nothing can be stored, so nothing may be acknowledged; afterwards it goes on by itself. */
    const away = async (what: string, begin: () => Promise<() => Promise<void>>, millis: number): Promise<number> => {
      const end = await begin()
      const from = Date.now()
      await pause(millis)
      const until = Date.now()
      await end()
      const back = Date.now()
      const during = answers.filter(({ millis, startedAt }) => startedAt >= from && startedAt + millis <= until)
      const acknowledged = during.filter(({ status }) => status === 200).length
      if (acknowledged > 0) violations.push(`While ${what}, ${acknowledged} deliveries were acknowledged.`)
      if (during.length === 0) violations.push(`While ${what}, no delivery was answered at all for ${millis} ms.`)
      const recovered = () => answers.some(({ startedAt, status }) => startedAt >= back && status === 200)
      while (!recovered() && Date.now() < back + 60_000) await pause(50)
      if (!recovered()) violations.push(`A minute after ${what}, deliveries are still refused.`)
      return Date.now() - from
    }

    let longestAway = 0
    let checkouts = 0
    let slowestCheckout = 0
    const made: Array<string> = []
    for (let round = 0; round < count; round++) {
      progress(`round ${round + 1} of ${count}: the database is away`)
      const gone =
        database.server === undefined
          ? await away("another process wrote to the file", () => holdLock(database.url), 7000 + random.int(2000))
          : await away("the database was stopped", () => halt(database), 2000 + random.int(4000))
      longestAway = Math.max(longestAway, gone)

      if (proxy !== undefined) {
        progress(`round ${round + 1} of ${count}: connections are cut`)
        proxy.cutAfter(200, 30_000)
        for (let times = 0; times < 4; times++) {
          await pause(400 + random.int(800))
          await database.endConnections()
        }
        proxy.mend()
      }

      progress(`round ${round + 1} of ${count}: Polar's API fails`)
      await pause(500)
      const from = Date.now()
      const own = buyers.slice(round * buyersPerRound, (round + 1) * buyersPerRound)
      const [outcome, readOnly] = await Promise.all([
        provePolarFaults(url, polar, own, random),
        database.store === "sqlite" ? proveReadOnlyFile(file, round) : []
      ])
      const meanwhile = answers.filter(({ startedAt }) => startedAt >= from)
      const refused = meanwhile.filter(({ status }) => status !== 200)
      if (meanwhile.length === 0 || refused.length > 0) {
        violations.push(`While Polar's API failed, ${refused.length} of ${meanwhile.length} deliveries were refused.`)
      }
      violations.push(...outcome.violations, ...readOnly)
      made.push(...outcome.made)
      checkouts += outcome.checkouts
      slowestCheckout = Math.max(slowestCheckout, outcome.slowestMillis)
    }

    await load.stop()
    const byHand = await deliverAll(sender, progress)
    violations.push(...(await told(database, progress)))
    await Effect.runPromise(Scope.close(scope, Exit.void))
    violations.push(...(await proveNobodyThere(url, buyers.at(-1) ?? "")))
    const probes = await probing.stop()
    violations.push(...probes.violations)
    if (!server.isRunning()) violations.push(`The server ended by itself: ${await server.exited}`)
    for (const { body, retryAfter, status } of answers) {
      if (status === 200) continue
      const right = status === 503 && retryAfter !== null && body === '{"error":"Billing is temporarily unavailable"}'
      if (!right) violations.push(`A delivery was answered ${status} ${body} with Retry-After ${retryAfter}.`)
    }
    const stored = (await database.read("SELECT id FROM kavach_polar_checkouts")).map((row) => String(row["id"]))
    if (stored.sort().join() !== made.sort().join()) {
      violations.push(`Checkouts stored: ${stored.join(", ")}; checkouts made: ${made.join(", ")}.`)
    }
    const verdict = await judge({ database, sent: sender.sent, stories, servers: [server], hadOutages: true })
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
        longestUnavailableMillis: longestAway,
        slowestAnswerMillis: Math.max(...answers.map(({ millis }) => millis)),
        connectionsCut: proxy?.cuts() ?? 0,
        probes: probes.count,
        slowestProbeMillis: probes.slowestMillis,
        checkouts,
        slowestCheckoutMillis: slowestCheckout,
        notifications: verdict.notifications,
        notificationsDoubled: verdict.doubled
      }
    }
  } finally {
    await server.kill()
    await proxy?.close()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const halt = async ({ server }: ProofDatabase): Promise<() => Promise<void>> => {
  if (server === undefined) throw new Error("there is no server to stop")
  await server.halt()
  return server.resume
}
