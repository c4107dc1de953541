/** What has to be true of `onAccessChange`: every change of a user's access was told once, and the last of them is so. */
import { callsOf, judgeSettled, judgeSubject, type Say } from "./notified.ts"
import { pause } from "./PolarSender.ts"
import type { ProofDatabase } from "./ProofDatabase.ts"
import type { ServerUnderTest } from "./ServerUnderTest.ts"
import type { Entitlement } from "./Story.ts"

/** What `access(userId)` answers, by user. */
export type AccessOf = ReadonlyMap<string, Entitlement>

const patienceMillis = 120_000

export const askAccess = async (url: string, userIds: ReadonlyArray<string>): Promise<AccessOf> => {
  const answers = new Map<string, Entitlement>()
  for (const userId of userIds) {
    const answer = await fetch(`${url}/access`, { headers: { "x-user": userId } })
    if (!answer.ok) throw new Error(`access of ${userId} was answered ${answer.status}: ${await answer.text()}`)
    const access: { readonly entitlement: Entitlement } = JSON.parse(await answer.text())
    answers.set(userId, access.entitlement)
  }
  return answers
}

/** Waits until everybody was told what `access` answers: the clock is looked at now and then. Whoever was not is for the verdict. */
export const flipped = async (
  servers: ReadonlyArray<ServerUnderTest>,
  answers: AccessOf,
  progress: (line: string) => void
): Promise<void> => {
  const deadline = Date.now() + patienceMillis
  for (;;) {
    const last = new Map(callsOf(servers, "flipped").map(({ flip, userId }) => [userId, flip.after]))
    const behind = [...answers].filter(([userId, answer]) => (last.get(userId) ?? "denied") !== answer)
    if (behind.length === 0 || Date.now() > deadline) return
    progress(`${behind.length} changes of access are still to be told`)
    await pause(250)
  }
}

export interface FlipEvidence {
  readonly database: ProofDatabase
  readonly servers: ReadonlyArray<ServerUnderTest>
  readonly answers: AccessOf
  /** What the histories say that it is. */
  readonly expected: AccessOf
}

export interface FlipVerdict {
  readonly violations: ReadonlyArray<string>
  readonly flips: number
  readonly byClock: number
  /** Flips that were told more than once, under the same id. */
  readonly doubled: number
}

export const judgeFlips = async (evidence: FlipEvidence): Promise<FlipVerdict> => {
  const { answers, database, expected, servers } = evidence
  const violations: Array<string> = []
  const say: Say = (sentence) => violations.push(sentence)

  const calls = callsOf(servers, "flipped")
  judgeSettled(calls, database, say)
  await judgeQueued(database, new Set(calls.map(({ id }) => id)), say)

  let [flips, byClock, doubled] = [0, 0, 0]
  for (const [userId, answer] of answers) {
    const own = judgeSubject(
      calls.filter((call) => call.userId === userId),
      false,
      say
    )
    doubled += own.doubled
    flips += own.told.length
    let access: Entitlement = "denied"
    for (const { flip, id } of own.told) {
      if (flip.by === "clock") byClock += 1
      if (flip.before !== access || flip.after === flip.before) {
        say(`User ${userId} was told ${flip.before} -> ${flip.after} by ${flip.by} (${id}) after "${access}".`)
      }
      access = flip.after
    }
    if (access !== answer)
      say(`The last that was told of user ${userId} is "${access}", and access answers "${answer}".`)
    const due = expected.get(userId) ?? "denied"
    if (answer !== due) say(`access of user ${userId} answers "${answer}", and Polar has told "${due}".`)
  }
  if (byClock === 0) say("The clock has changed nobody's access, so nothing is proven of it.")
  return { violations, flips, byClock, doubled }
}

/** What was queued was told, and nothing else was. */
const judgeQueued = async (database: ProofDatabase, told: ReadonlySet<string>, say: Say): Promise<void> => {
  const rows = await database.read("SELECT id, state FROM kavach_polar_notifications WHERE handler = 'onAccessChange'")
  for (const { id, state } of rows) {
    if (state !== "done") say(`The change of access ${id} is still ${state} at the end.`)
    else if (!told.has(String(id))) say(`The change of access ${id} was never told.`)
  }
  const queued = new Set(rows.map(({ id }) => String(id)))
  for (const id of told) if (!queued.has(id)) say(`A change of access ${id} was told that was never queued.`)
}
