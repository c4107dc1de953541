/** The store's connection to MySQL and MariaDB: batches in transactions, retries, and time limits. */
import {
  type Batch,
  callMillis,
  deadlineIn,
  type Patience,
  part,
  retryConflicts,
  runAsync,
  type Script,
  type SqlConnection,
  withinDeadline
} from "@kavach-polar/core/adapter"
import { mysqlDialect } from "./mysqlDialect.ts"
import { explain, isConflict, isForeignTransaction, isLockWait } from "./mysqlProblem.ts"
import { isPool, poolOf, requireAutocommit, type SendOptions, type Session, sender } from "./mysqlSession.ts"

/** Who holds a row for longer, the app's transaction for one, is not waited for any more. Both servers count in seconds. */
const lockWaitSeconds: Readonly<Record<Patience, number>> = { brief: 1, full: 2 }

/**
 * In READ COMMITTED every statement sees what was committed before it began, and what is looked at in vain is not locked. The
 * first of these fails where a transaction is open already. How long a lock is waited for is the session's, which may be the
 * app's: so it is put back before the end.
 */
const beginning = (patience: Patience) => [
  part("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"),
  part("START TRANSACTION"),
  part(
    `SET @kavach_polar_lock_wait = @@SESSION.innodb_lock_wait_timeout, SESSION innodb_lock_wait_timeout = ${lockWaitSeconds[patience]}`
  )
]
const putBack = part("SET SESSION innodb_lock_wait_timeout = @kavach_polar_lock_wait")
const committing = [putBack, part("COMMIT")]
const undoing = [putBack, part("ROLLBACK")]

/** Of each statement of a migration: one may copy a table. */
const migrationMillis = 60_000

/** `client`: a pool or a connection of mysql2's with promises. */
export const mysqlConnection = (client: unknown, options: SendOptions): SqlConnection => {
  const pool = poolOf(client)
  const send = sender(options)
  const looked = new WeakSet<object>()

  /** Out of time, the connection is destroyed: on a closed one nothing stays. */
  const within = <A>(session: Session, deadline: number, answer: Promise<A>): Promise<A> =>
    withinDeadline(answer, deadline, () => session.destroy())

  /** On a connection that nobody else has meanwhile. */
  const borrow = async <A>(deadline: number, use: (session: Session) => Promise<A>): Promise<A> => {
    const asked = pool.getConnection()
    const session = await withinDeadline(asked, deadline, () => {
      asked.then(
        (late) => late.release(),
        () => {}
      )
    })
    try {
      const itself = session.connection ?? session
      if (!looked.has(itself)) await within(session, deadline, requireAutocommit(session))
      looked.add(itself)
      return await use(session)
    } finally {
      session.release()
    }
  }

  const transact = async <A>(session: Session, script: Script<A>, patience: Patience = "full"): Promise<A> => {
    let isOpen = false
    const run = async ({ commits, statements }: Batch) => {
      const before = isOpen ? [] : beginning(patience)
      isOpen = true
      const answers = await send(session, [...before, ...statements, ...(commits ? committing : [])])
      isOpen = !commits
      return answers.slice(before.length, before.length + statements.length)
    }
    try {
      return await runAsync(script, run)
    } catch (error) {
      if (isForeignTransaction(error)) isOpen = false
      throw error
    } finally {
      if (isOpen) await send(session, undoing).catch(() => session.destroy())
    }
  }

  const migrate = async (session: Session, script: Script<void>): Promise<void> => {
    const run = ({ statements }: Batch) => within(session, deadlineIn(migrationMillis), send(session, statements))
    try {
      await runAsync(script, run)
    } catch (error) {
      // A failure of the database ends the script where it stands.
      const { endTurn } = mysqlDialect.ddl
      if (endTurn !== undefined) await run({ statements: [endTurn], commits: false }).catch(() => session.destroy())
      throw error
    }
  }

  return {
    dialect: mysqlDialect,
    // Two of some size often want one row of `kavach_polar_locks`. But one that waits for a row of the app's is not to hold up
    // all others.
    parallelSteps: isPool(client) ? 3 : 1,
    read: (script) => {
      const deadline = deadlineIn(callMillis)
      return borrow(deadline, (session) =>
        within(
          session,
          deadline,
          runAsync(script(), ({ statements }) => send(session, statements))
        )
      )
    },
    transaction: (script, options) =>
      retryConflicts(
        (deadline) =>
          borrow(deadline, (session) => within(session, deadline, transact(session, script(), options?.patience))),
        { isConflict, isLockWait },
        callMillis,
        options
      ),
    migration: (script) => borrow(deadlineIn(migrationMillis), (session) => migrate(session, script())),
    explain
  }
}
