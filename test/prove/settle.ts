/** The end of a run: everything is delivered and told, as long as that takes. */
import { type PolarSender, pause } from "./PolarSender.ts"
import type { ProofDatabase } from "./ProofDatabase.ts"

/** What sender and server share. Invented. */
export const secret = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="

/** Delivers until all is acknowledged; what ten attempts did not bring is delivered by hand, three times at most. */
export const deliverAll = async (sender: PolarSender, progress: (line: string) => void): Promise<number> => {
  let byHand = 0
  for (let round = 0; round < 4; round++) {
    progress("delivering what was not acknowledged")
    await sender.quiet()
    const dead = round === 3 ? 0 : sender.redeliverByHand()
    if (dead === 0) break
    byHand += dead
  }
  return byHand
}

const patienceMillis = 120_000

/** Waits until no notification is pending, as long as it takes a lease to run out, and more. */
export const told = async (
  database: ProofDatabase,
  progress: (line: string) => void
): Promise<ReadonlyArray<string>> => {
  const deadline = Date.now() + patienceMillis
  for (;;) {
    const [row] = await database.read(
      "SELECT count(*) AS pending FROM kavach_polar_notifications WHERE state = 'pending'"
    )
    const pending = Number(row?.["pending"])
    if (pending === 0) return []
    if (Date.now() > deadline) return [`${pending} notifications were not told within ${patienceMillis / 1000} s.`]
    progress(`${pending} notifications are still to be told`)
    await pause(250)
  }
}
