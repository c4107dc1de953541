/** A database's connections, whatever the driver: scripts run on them, each until a deadline. */
import {
  type Batch,
  DriverError,
  type Rows,
  runAsync,
  type Script,
  type Statement,
  withinDeadline
} from "@kavach-polar/core/adapter"
import { breaksConnection } from "./PostgresProblem.ts"

export interface Connections {
  /** Runs a script whose statements each stand alone. */
  readonly read: <A>(script: () => Script<A>, deadline: number) => Promise<A>
  /** Runs a script in one transaction. Nothing stays of one that does not commit, or takes until after the deadline. */
  readonly transaction: <A>(script: () => Script<A>, deadline: number) => Promise<A>
}

/** A connection that nobody else has meanwhile. */
export interface HeldConnection {
  /** Calls what sends several statements; left out where one is sent only when those ahead of it are answered. */
  readonly pipelined?: <A>(send: () => A) => A
  readonly run: (statement: Statement) => Promise<Rows>
  /** Of one that the app uses as well, known at the latest when BEGIN is answered: a transaction of the app's is open. */
  readonly isWithinAnother?: () => boolean
  /** Gives it back. With an error it is closed at once, whatever is under way, and what was not committed is rolled back. */
  readonly release: (error?: Error) => void
}

/** Whatever the server's default is: each statement has to see what was committed before it began. */
export const isolationLevel = "read committed"

const begin: Statement = { text: `BEGIN ISOLATION LEVEL ${isolationLevel}`, values: [] }
const commit: Statement = { text: "COMMIT", values: [] }
const rollback: Statement = { text: "ROLLBACK", values: [] }

/** On connections that are taken one by one. */
export const onHeld = (acquire: () => Promise<HeldConnection>): Connections => {
  /** One timer for all of it, whether it waits for the connection or for its answer. */
  const hold = <A>(
    use: (held: HeldConnection, spoil: (error: Error) => void) => Promise<A>,
    deadline: number
  ): Promise<A> => {
    let held: HeldConnection | undefined
    let isLate = false
    const useOne = async (): Promise<A> => {
      const mine = await acquire()
      if (isLate) {
        mine.release()
        throw new Error("the connection came too late")
      }
      held = mine
      let broken: Error | undefined
      const spoil = (error: Error) => {
        broken ??= error
      }
      // Where a connection cannot be closed, an answer may yet come, and what follows it would be in no transaction.
      const run = (statement: Statement) =>
        isLate ? Promise.reject(new Error("the transaction was given up")) : mine.run(statement)
      try {
        return await use({ ...mine, run }, spoil)
      } catch (error) {
        if (error instanceof Error && breaksConnection(error)) spoil(error)
        throw error
      } finally {
        if (!isLate) mine.release(broken)
      }
    }
    return withinDeadline(useOne(), deadline, () => {
      isLate = true
      held?.release(new Error("no answer in time"))
    })
  }
  return {
    read: (script, deadline) => hold((held) => runAsync(script(), (batch) => send(held, batch.statements)), deadline),
    transaction: (script, deadline) => hold((held, spoil) => transact(held, script, spoil), deadline)
  }
}

const transact = async <A>(
  held: HeldConnection,
  script: () => Script<A>,
  spoil: (error: Error) => void
): Promise<A> => {
  let isBegun = false
  let isOpen = false
  const run = async ({ commits, statements }: Batch): Promise<ReadonlyArray<Rows>> => {
    const first = isBegun ? [] : [begin]
    isBegun = true
    if (first.length > 0 && held.isWithinAnother !== undefined) {
      refuseAnother(held)
      await send(held, first.splice(0))
      refuseAnother(held)
    }
    isOpen = true
    // If BEGIN alone were cancelled, what was sent behind it would be committed statement by statement.
    if (commits && first.length > 0 && statements.filter(writes).length > 1) await send(held, first.splice(0))
    const all = [...first, ...statements, ...(commits ? [commit] : [])]
    const answers = await send(held, all, () => {
      isOpen = false
    })
    return answers.slice(first.length, first.length + statements.length)
  }
  try {
    return await runAsync(script(), run)
  } finally {
    // One that has failed, or ended without committing.
    if (isOpen) await held.run(rollback).catch(spoil)
  }
}

/** The server only warns of it, and a COMMIT or ROLLBACK would be of the app's transaction. */
const refuseAnother = ({ isWithinAnother }: HeldConnection): void => {
  if (isWithinAnother?.()) throw new DriverError("busy", "the app has a transaction open on this connection")
}

const writes = ({ text }: Statement): boolean => !text.startsWith("SELECT")

/** One after the other, and sent without waiting where that is possible. Fails with the first error, once all have ended. */
const send = async (
  { pipelined, run }: HeldConnection,
  statements: ReadonlyArray<Statement>,
  beforeCommit: () => void = () => {}
): Promise<ReadonlyArray<Rows>> => {
  const answers: Array<Rows> = []
  if (pipelined !== undefined) {
    if (statements.includes(commit)) beforeCommit()
    for (const result of await Promise.allSettled(pipelined(() => statements.map(run)))) {
      if (result.status === "rejected") throw result.reason
      answers.push(result.value)
    }
    return answers
  }
  for (const statement of statements) {
    if (statement === commit) beforeCommit()
    answers.push(await run(statement))
  }
  return answers
}
