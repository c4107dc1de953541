/**
 * The proof that a killed process loses nothing: real servers under load, SIGKILL at any moment, started again, and what
 * was not acknowledged is delivered again. Of some users the clock ends trials, scheduled ends and grace meanwhile. One server on SQLite; three on a database server, behind a sender that goes
 * from one to the next.
 */
import { join } from "node:path"
import { temporaryFolder } from "../e2e/serverProcess.ts"
import { askAccess, flipped, judgeFlips } from "./flips.ts"
import { tell } from "./load.ts"
import { makeSender, type PolarSender, pause } from "./PolarSender.ts"
import type { Proof, ProofOptions, ProofOutcome } from "./Proof.ts"
import { type ProofDatabase, withDatabase } from "./ProofDatabase.ts"
import { bundleServer, launch, type ServerUnderTest } from "./ServerUnderTest.ts"
import { type Story, type StoryEvent, storyOf } from "./Story.ts"
import { type Random, randomOf } from "./seeded.ts"
import { deliverAll, secret, told } from "./settle.ts"
import { accessDue, judge, lastLapse } from "./verdict.ts"

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

/** Of a third of the users the clock ends trials, scheduled ends and grace. */
const endsByClock = (index: number): boolean => index % 3 === 0

/** A place where a server runs, dies, and runs again. */
interface Seat {
  server: ServerUnderTest
  url: string | undefined
  downSince: number | undefined
}

/** At the end processes are killed so often at the moment at which the clock ends what it can. */
const lapseRounds = 2

/** Long enough to deliver what begins, and what then ends by the clock. */
const lapseMillis = 1500

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
      callMillis: 250,
      hearsAccess: true
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
    const stories = Array.from(
      { length: 60 },
      (
        _,
        index // Of a third of the users the clock ends what it can.
      ) => storyOf(`usr_${index}`, randomOf(seed, index + 1), { byClock: endsByClock(index) })
    )
    const byClock = stories.filter((_, index) => endsByClock(index))
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
    let byHand = await deliverAll(sender, progress)
    for (let round = 0; round < lapseRounds; round++) {
      progress(`killed when the clock ends what it can, ${round + 1} of ${lapseRounds}`)
      byHand += await lapseTogether(byClock, sender, progress)
      await pause(lastLapse(sender.sent) - Date.now() + random.int(600))
      await killOne(seats, start, watch, random)
      await Promise.all(seats.map(({ server }) => server.listening))
    }
    const url = await seats[0]?.server.listening
    if (url === undefined) throw new Error("there is no server to ask")
    const answers = await askAccess(
      url,
      stories.map(({ userId }) => userId)
    )
    await flipped(servers, answers, progress)
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
    const flips = await judgeFlips({ database, servers, answers, expected: accessDue(sender.sent, Date.now()) })
    const { attempts, failed, redelivered, repeated } = sender.counts()
    return {
      violations: [...violations, ...waited, ...verdict.violations, ...flips.violations].map(
        (sentence) => `${sentence} (seed ${seed})`
      ),
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
        accessChanges: flips.flips,
        accessChangesByClock: flips.byClock,
        accessChangesDoubled: flips.doubled,
        longestWithoutTheProcessMillis: longestDown
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.kill()))
  }
}

/** Of these stories the clock ends something, of all at the same time. Succeeds with what was delivered by hand. */
const lapseTogether = async (
  stories: ReadonlyArray<Story>,
  sender: PolarSender,
  progress: (line: string) => void
): Promise<number> => {
  const deliver = (tell: (story: Story) => ReadonlyArray<StoryEvent>) =>
    Promise.all(
      stories.map(async (story) => {
        for (const event of tell(story)) await sender.deliver(event)
      })
    )
  await deliver((story) => story.end())
  const byHand = await deliverAll(sender, progress)
  const lapsesAt = Math.ceil((Date.now() + lapseMillis) / 1000) * 1000
  await deliver((story) => story.lapse(lapsesAt))
  return byHand + (await deliverAll(sender, progress))
}

const killOne = async (
  seats: ReadonlyArray<Seat>,
  start: () => ServerUnderTest,
  watch: (seat: Seat) => void,
  random: Random
): Promise<void> => {
  const seat = seats[random.int(seats.length)]
  if (seat === undefined) return
  seat.url = undefined
  seat.downSince ??= Date.now()
  await seat.server.kill()
  seat.server = start()
  watch(seat)
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
    await killOne([seat], start, watch, random)
    progress()
  }
  return early
}
