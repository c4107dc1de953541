/**
 * The proof that a killed process loses nothing: real servers under load, SIGKILL at any moment, started again, and what
 * was not acknowledged is delivered again. One server on SQLite; three on a database server, behind a sender that goes
 * from one to the next.
 */
import { join } from "node:path"
import { temporaryFolder } from "../e2e/serverProcess.ts"
import { tell } from "./load.ts"
import { makeSender, pause } from "./PolarSender.ts"
import type { Proof, ProofOptions, ProofOutcome } from "./Proof.ts"
import { type ProofDatabase, withDatabase } from "./ProofDatabase.ts"
import { bundleServer, launch, type ServerUnderTest } from "./ServerUnderTest.ts"
import { storyOf } from "./Story.ts"
import { type Random, randomOf } from "./seeded.ts"
import { deliverAll, secret, told } from "./settle.ts"
import { judge } from "./verdict.ts"

export const kill: Proof = {
  name: "kill",
  promise: "A process killed at any moment loses no acknowledged delivery and no notification. Count: kills.",
  stores: ["sqlite", "libsql", "postgres", "mysql", "mariadb"],
  defaultCount: 40,
  run: async (options) => {
    const folder = temporaryFolder()
    const bundle = await bundleServer()
    try {
      return await withDatabase(options.store, folder.path, (database) =>
        prove(options, database, { file: bundle.file, folder: folder.path })
      )
    } finally {
      bundle.remove()
      folder.remove()
    }
  }
}

/** A place where a server runs, dies, and runs again. */
interface Seat {
  server: ServerUnderTest
  url: string | undefined
  downSince: number | undefined
}

const prove = async (
  { count, progress, seed }: ProofOptions,
  database: ProofDatabase,
  { file, folder }: { readonly file: string; readonly folder: string }
): Promise<ProofOutcome> => {
  const random = randomOf(seed, 0)
  const servers: Array<ServerUnderTest> = []
  let longestDown = 0

  const start = (): ServerUnderTest => {
    const server = launch(file, {
      store: database.store,
      url: database.url,
      secret,
      diary: join(folder, `diary-${servers.length}.jsonl`),
      port: 0,
      callMillis: 250
    })
    servers.push(server)
    return server
  }
  const seated = (): Seat => {
    const seat: Seat = { server: start(), url: undefined, downSince: undefined }
    watch(seat)
    return seat
  }
  const watch = (seat: Seat) => {
    const { server } = seat
    server.listening.then(
      (url) => {
        if (seat.server !== server || server.killedAt() !== undefined) return
        seat.url = url
        if (seat.downSince !== undefined) longestDown = Math.max(longestDown, Date.now() - seat.downSince)
        seat.downSince = undefined
      },
      () => {}
    )
  }

  const seats = [seated()]
  try {
    await seats[0]?.server.listening
    if (database.store !== "sqlite") seats.push(seated(), seated())
    await Promise.all(seats.map(({ server }) => server.listening))
    const stories = Array.from({ length: 60 }, (_, index) => storyOf(`usr_${index}`, randomOf(seed, index + 1)))
    await database.addUsers(stories.map(({ userId }) => userId))

    let turn = 0
    const refusals = new Map<number, number>()
    const sender = makeSender({
      secret,
      random: randomOf(seed, 1_000_000),
      // A balancer in front of servers that come and go: the next one, whether it is there or not.
      target: () => seats[turn++ % seats.length]?.url,
      onAnswer: ({ status }) => {
        if (status !== 200) refusals.set(status, (refusals.get(status) ?? 0) + 1)
      }
    })
    const load = tell(stories, sender, { lanes: 6, random: randomOf(seed, 2_000_000) })
    const early = await killAll(count, seats, start, watch, random, () =>
      progress(`${servers.length - seats.length} of ${count} kills, ${sender.sent.size} deliveries sent`)
    )
    await load.stop()
    await Promise.all(seats.map(({ server }) => server.listening))
    const byHand = await deliverAll(sender, progress)
    const waited = await told(database, progress)

    const violations: Array<string> = []
    for (const [status, times] of refusals) {
      if (status !== 503) violations.push(`${times} deliveries were answered ${status}.`)
    }
    for (const { exited, isRunning, killedAt } of servers) {
      if (!isRunning() && killedAt() === undefined) violations.push(`A server ended by itself: ${await exited}`)
    }
    // A notification that was told is settled a moment later, and what is told wrongly again would be told by now.
    await pause(1000)
    const verdict = await judge({ database, sent: sender.sent, stories, servers, hadOutages: false })
    const { attempts, failed, redelivered, repeated } = sender.counts()
    return {
      violations: [...violations, ...waited, ...verdict.violations].map((sentence) => `${sentence} (seed ${seed})`),
      figures: {
        database: database.version,
        processes: seats.length,
        kills: servers.length - seats.length,
        killedWhileStarting: early,
        sent: sender.sent.size,
        attempts,
        attemptsFailed: failed,
        answered503: refusals.get(503) ?? 0,
        redelivered,
        redeliveredByHand: byHand,
        repeatedAfterAcknowledgement: repeated,
        acknowledged: [...sender.sent.values()].filter(({ acknowledgedAt }) => acknowledgedAt !== undefined).length,
        stale: verdict.stale,
        notifications: verdict.notifications,
        callsCutShort: verdict.cutShort,
        notificationsDoubled: verdict.doubled,
        longestWithoutTheProcessMillis: longestDown
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.kill()))
  }
}

/** How many were killed before they listened. */
const killAll = async (
  count: number,
  seats: ReadonlyArray<Seat>,
  start: () => ServerUnderTest,
  watch: (seat: Seat) => void,
  random: Random,
  progress: () => void
): Promise<number> => {
  let early = 0
  for (let kills = 0; kills < count; kills++) {
    const seat = seats[random.int(seats.length)]
    if (seat === undefined) break
    if (random.chance(0.1)) {
      await pause(random.int(600))
    } else {
      await seat.server.listening
      await pause(200 + random.int(2000))
    }
    if (seat.url === undefined) early += 1
    seat.url = undefined
    seat.downSince ??= Date.now()
    await seat.server.kill()
    seat.server = start()
    watch(seat)
    progress()
  }
  return early
}
