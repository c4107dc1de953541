/** A server with subjects on it, each with a database and a process of its own, and the one sender for all. */
import { randomBytes } from "node:crypto"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import * as Effect from "effect/Effect"
import type { Scale, SubjectName } from "./Bench.ts"
import { type Child, startChild } from "./Child.ts"
import type { SenderQuestion, SenderSettings, Sent } from "./children/sender.ts"
import type { ServerQuestion, ServerSettings } from "./children/server.ts"
import type { BenchDatabase, BenchServer } from "./databases/BenchDatabase.ts"
import { deliveriesIn, eventAt, type Plan, usersIn } from "./deliveries.ts"
import { storeOf } from "./subjects/ours.ts"
import { usualTableSql } from "./subjects/usualDrizzle.ts"

export interface Contender {
  readonly name: SubjectName
  /** Tells it from another of the same name. */
  readonly label: string
  readonly database: BenchDatabase
  readonly ask: <Answer>(question: ServerQuestion) => Promise<Answer>
}

export interface Arena {
  readonly server: BenchServer
  readonly contenders: ReadonlyArray<Contender>
  readonly contender: (label: string) => Contender
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

export const withArena = async <A>(
  server: BenchServer,
  entrants: Entrants,
  { profiles }: Pick<Scale, "profiles">,
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
      await migrate(name, database)
      const settings: ServerSettings = { subject: name, store, url: database.url, secret }
      const child = await startChild("server", settings, profiles)
      children.push(child)
      const contender: Contender = { name, label, database, ask: (question) => child.ask(question) }
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

/** The tables are the same for all, but that the usual handler keeps subscriptions in one of its own. */
const migrate = async (name: SubjectName, { run, store, url }: BenchDatabase): Promise<void> => {
  const migrated = Effect.flatMap(BillingStore, (service) => service.migrate)
  await Effect.runPromise(Effect.provide(migrated, storeOf({ store, url })))
  if (name === "usual") await run(usualTableSql[store === "mariadb" ? "mysql" : store])
}

const tables = {
  ours: [
    "kavach_polar_deliveries",
    "kavach_polar_subscriptions",
    "kavach_polar_customers",
    "kavach_polar_checkouts",
    "kavach_polar_notifications",
    "kavach_users"
  ],
  usual: ["subscriptions", "kavach_users"]
} as const

/** Empty tables but for the users whom the plan is about. */
export const makeReady = async ({ database, name }: Contender, plan: Plan): Promise<void> => {
  await database.empty(name === "usual" ? tables.usual : tables.ours)
  await database.addUsers(usersIn(plan))
}

/** Waits until the app was told of everything. */
export const settled = async ({ database, name }: Contender): Promise<void> => {
  if (name !== "ours") return
  const deadline = performance.now() + 120_000
  for (;;) {
    const [row] = await database.run(
      "SELECT count(*) AS pending FROM kavach_polar_notifications WHERE state = 'pending'"
    )
    if (Number(row?.["pending"]) === 0) return
    if (performance.now() > deadline) throw new Error("ours still has notifications to deliver after two minutes")
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Counts what is stored, and throws unless it is what the plan leads to: no work, no figure. */
export const checkEffect = async ({ database, name }: Contender, plan: Plan): Promise<void> => {
  const deliveries = deliveriesIn(plan)
  const subjects = plan.users === "hot" ? 1 : deliveries
  const table = name === "usual" ? "subscriptions" : "kavach_polar_subscriptions"
  const counts = [
    `(SELECT count(*) FROM ${table}) AS subscriptions`,
    "(SELECT count(*) FROM kavach_users WHERE polar_subscription_id IS NOT NULL) AS users",
    ...(name === "usual"
      ? []
      : [
          "(SELECT count(*) FROM kavach_polar_deliveries) AS deliveries",
          "(SELECT count(*) FROM kavach_polar_notifications) AS notifications",
          "(SELECT max(event_at) FROM kavach_polar_subscriptions) AS newest"
        ])
  ]
  const [row] = await database.run(`SELECT ${counts.join(", ")}`)
  const expect = (what: string, least: number, most = least) => {
    const found = Number(row?.[what])
    if (found >= least && found <= most) return
    throw new Error(`${name} on ${database.store} did not do the work: ${found} ${what}, and not ${least}`)
  }
  expect("subscriptions", subjects)
  expect("users", subjects)
  if (name === "usual") return
  expect("deliveries", deliveries)
  expect("newest", eventAt(deliveries - 1))
  // Of one user's deliveries those that come after a newer one change nothing, and nobody is told of them.
  expect("notifications", subjects, deliveries)
}
