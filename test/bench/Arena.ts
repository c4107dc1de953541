/** A server with subjects on it, each with a database and a process of its own, and the one sender for all. */
import { randomBytes } from "node:crypto"
import type { Scale, SubjectName } from "./Bench.ts"
import { type Child, startChild } from "./Child.ts"
import type { SenderQuestion, SenderSettings, Sent } from "./children/sender.ts"
import type { ServerQuestion, ServerSettings } from "./children/server.ts"
import type { BenchDatabase, BenchServer } from "./databases/BenchDatabase.ts"
import { deliveriesIn, eventAt, type Plan, usersIn } from "./deliveries.ts"
import { rawTablesOf } from "./subjects/rawTables.ts"
import { type Tables, tablesOf } from "./subjects/tables.ts"

export interface Contender {
  readonly name: SubjectName
  /** Tells it from another of the same name. */
  readonly label: string
  readonly database: BenchDatabase
  readonly tables: Tables
  readonly ask: <Answer>(question: ServerQuestion) => Promise<Answer>
}

export interface Arena {
  readonly server: BenchServer
  readonly contenders: ReadonlyArray<Contender>
  readonly contender: (label: string) => Contender
  /** Another subject, in a process of its own, on the database that a contender has filled. It receives nothing. */
  readonly beside: (contender: Contender, name: Exclude<SubjectName, "before">) => Promise<Contender>
  /** A number that no other turn has. */
  readonly nextTurn: () => number
  readonly prepare: (plan: Plan) => Promise<void>
  readonly send: (
    contender: Contender,
    options: { readonly inFlight: number; readonly perSecond?: number }
  ) => Promise<Sent>
}

/** Who takes part, by label. */
export type Entrants = Readonly<Record<string, SubjectName>>

/** These, each under its own name, and ours of another checkout when that takes part. */
export const entrantsOf = (names: ReadonlyArray<SubjectName>, { against }: Pick<Scale, "against">): Entrants =>
  Object.fromEntries([...names, ...(against === undefined ? [] : (["before"] as const))].map((name) => [name, name]))

export const withArena = async <A>(
  server: BenchServer,
  entrants: Entrants,
  { against, profiles }: Pick<Scale, "against" | "profiles">,
  use: (arena: Arena) => Promise<A>
): Promise<A> => {
  const { store } = server
  const secret = `polar_whs_${randomBytes(24).toString("hex")}`
  const children: Array<Child> = []
  const databases: Array<BenchDatabase> = []
  try {
    const settings: SenderSettings = { secret, root: process.cwd() }
    const sender = await startChild("sender", settings)
    children.push(sender)
    const askSender = <Answer>(question: SenderQuestion) => sender.ask<Answer>(question)
    const contenders: Array<Contender> = []
    const ports = new Map<string, number>()
    for (const [label, name] of Object.entries(entrants)) {
      const database = await server.newDatabase()
      databases.push(database)
      if (name === "raw") for (const statement of rawTablesOf[store]) await database.run(statement)
      // In its own checkout it is ours.
      const subject = name === "before" ? "ours" : name
      const settings: ServerSettings = { subject, store, url: database.url, secret }
      const child = await startChild("server", settings, { profiles, folder: name === "before" ? against : undefined })
      children.push(child)
      // The first call makes ours' tables.
      const first: ServerQuestion = {
        what: "call",
        call: "getSubscription",
        userIds: ["nobody"],
        times: 1,
        inFlight: 1
      }
      await child.ask(first)
      const tables = await tablesOf(name, database)
      const contender: Contender = { name, label, database, tables, ask: (question) => child.ask(question) }
      contenders.push(contender)
      ports.set(label, await contender.ask<number>({ what: "port" }))
    }
    let turns = 0
    return await use({
      server,
      contenders,
      contender: (label) => {
        const found = contenders.find((contender) => contender.label === label)
        if (found === undefined) throw new Error(`${label} is not here`)
        return found
      },
      beside: async ({ database, tables }, name) => {
        const settings: ServerSettings = { subject: name, store, url: database.url, secret }
        const child = await startChild("server", settings, { profiles })
        children.push(child)
        return { name, label: name, database, tables, ask: (question) => child.ask(question) }
      },
      nextTurn: () => {
        turns += 1
        return turns
      },
      prepare: (plan) => askSender({ what: "prepare", plan }),
      send: async ({ label, name }, options) => {
        const sent = await askSender<Sent>({ what: "send", port: ports.get(label) ?? 0, ...options })
        if (sent.refused > 0) {
          throw new Error(
            `${name} on ${store} refused ${sent.refused} deliveries, the first with: ${sent.firstRefusal}`
          )
        }
        return sent
      }
    })
  } finally {
    for (const child of children) await child.stop()
    for (const database of databases) await database.drop()
  }
}

/** The same subjects in each round, and another one first: what the one before left to the disk is nobody's for good. */
export const inTurn = <A>(all: ReadonlyArray<A>, round: number): ReadonlyArray<A> => {
  const first = round % all.length
  return [...all.slice(first), ...all.slice(0, first)]
}

/** Empty tables but for the users whom the plan is about. */
export const makeReady = async ({ database, tables }: Contender, plan: Plan): Promise<void> => {
  await database.empty(tables.filled)
  await database.addUsers(usersIn(plan))
}

/** Waits until the app was told of everything. The hand-written handler tells nobody. */
export const settled = async ({ database, name, tables }: Contender): Promise<void> => {
  if (name === "raw") return
  const deadline = performance.now() + 120_000
  for (;;) {
    const [row] = await database.run(`SELECT count(*) AS pending FROM ${tables.notifications} WHERE state = 'pending'`)
    if (Number(row?.["pending"]) === 0) return
    if (performance.now() > deadline) throw new Error(`${name} still has notifications to deliver after two minutes`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** That each delivery was stored as a record of its own. */
export const checkRecords = async ({ database, name, tables }: Contender, plan: Plan): Promise<void> => {
  const { event = "subscription" } = plan
  const kind = event === "grant" ? "benefit_grant" : event
  const [row] = await database.run(`SELECT count(*) AS found FROM ${tables.subscriptions} WHERE kind = '${kind}'`)
  const found = Number(row?.["found"])
  if (found !== deliveriesIn(plan)) {
    throw new Error(`${name} on ${database.store} stored ${found} records of ${kind}, and not ${deliveriesIn(plan)}`)
  }
}

/** Counts what is stored, and throws unless it is what the plan leads to: no work, no figure. */
export const checkEffect = async ({ database, name, tables }: Contender, plan: Plan): Promise<void> => {
  const deliveries = deliveriesIn(plan)
  const subjects = plan.users === "hot" ? 1 : deliveries
  const [row] = await database.run(
    `SELECT (SELECT count(*) FROM ${tables.subscriptions}) AS subscriptions,
      (SELECT count(*) FROM kavach_users WHERE polar_subscription_id IS NOT NULL) AS users,
      (SELECT count(*) FROM ${tables.deliveries}) AS deliveries,
      (SELECT count(*) FROM ${tables.notifications}) AS notifications,
      (SELECT max(event_at) FROM ${tables.subscriptions}) AS newest`
  )
  const expect = (what: string, least: number, most = least) => {
    const found = Number(row?.[what])
    if (found >= least && found <= most) return
    throw new Error(`${name} on ${database.store} did not do the work: ${found} ${what}, and not ${least}`)
  }
  expect("subscriptions", subjects)
  expect("users", subjects)
  expect("deliveries", deliveries)
  expect("newest", eventAt(deliveries - 1))
  // Of one user's deliveries those that come after a newer one change nothing, and nobody is told of them.
  expect("notifications", subjects, deliveries)
}
