/**
 * What a step's keys lead to, read under locks so that it stays true until the commit.
 *
 * Names are locked first: of the deliveries, customers, records and users that the keys name. Most often that is all,
 * because an event names its user too. What is read may lead to further users and records; their names are then locked
 * too, without waiting, since names are waited for in one order only, and read again. If somebody else has one of them,
 * the step begins anew and waits for all at once. So nobody waits in a circle.
 *
 * A delivery, a link or a record is only written under the lock of its name; whatever is of a user (the projection) by
 * who holds the user's name. A user's row and a checkout may appear meanwhile, which is as if the step had come just
 * before.
 */
import { recordKey } from "../records/RecordReport.ts"
import type { CheckoutRow, DeliveryFact, LinkRow, RecordFact, UserFact } from "../records/rows.ts"
import type { Facts, Keys, RecordId } from "../steps/Step.ts"
import type { Dialect } from "./Dialect.ts"
import { accessTo } from "./rowsOf.ts"
import { ask, type Question, type Rows, type Script, type Statement, sql } from "./Script.ts"
import * as tables from "./tables.ts"
import type { UsersTable } from "./usersTable.ts"

/** What is locked: names of rows that may not be there yet. */
export type Names = ReadonlySet<string>

export const namesOf = (keys: Keys): Set<string> =>
  new Set([
    ...keys.deliveryIds.map((id) => `delivery ${id}`),
    ...keys.customerIds.map((id) => `customer ${id}`),
    ...keys.records.map(recordKey),
    ...keys.userIds.map(userName)
  ])

const userName = (id: string): string => `user ${id}`

/** Either all that the step needs, or names that it has to wait for from the beginning. */
export type Loaded = { readonly facts: Facts } | { readonly missing: Names }

export const makeStepFacts = (dialect: Dialect) => {
  const deliveries = accessTo<DeliveryFact>(dialect, tables.deliveries, [
    "id",
    "state",
    "attempts",
    "customerId",
    "recordKind",
    "recordId",
    "userId"
  ])
  const links = accessTo<LinkRow>(dialect, tables.customers, [
    "customerId",
    "userId",
    "linkedBy",
    "linkedAt",
    "deletedAt"
  ])
  const checkouts = accessTo<CheckoutRow>(dialect, tables.checkouts, ["id", "userId", "productId", "createdAt"])
  const records = accessTo<RecordFact>(dialect, tables.records, factFields)
  const [selectDeliveries, selectLinks, selectCheckouts, selectRecords] = [
    deliveries.select(),
    links.select(),
    checkouts.select(),
    records.select()
  ]
  const table = (one: tables.Table) => dialect.table(one.name)

  const recordsNamed = (named: ReadonlyArray<RecordId>): Statement =>
    sql`${selectRecords} WHERE ${dialect.among("record_key", named.map(recordKey), "key")}`

  const unlinkedOf = (customerIds: ReadonlyArray<string>): Statement =>
    sql`${selectRecords} WHERE ${dialect.among("customer_id", customerIds, "id")} AND user_id IS NULL`

  const subscriptionsOf = (userIds: ReadonlyArray<string>): Statement =>
    sql`${selectRecords} WHERE ${dialect.among("user_id", userIds, "key")} AND kind = 'subscription'`

  const knownAmong = (userIds: ReadonlyArray<string>): Statement => {
    const isOne = dialect.among("user_id", userIds, "key")
    const id = dialect.read("user_id", "key")
    return sql`SELECT ${id} FROM ${table(tables.customers)} WHERE ${isOne} UNION SELECT ${id} FROM ${table(tables.checkouts)} WHERE ${isOne}`
  }

  const untoldAmong = (subjects: ReadonlyArray<string>): Statement =>
    sql`SELECT ${dialect.read("subject", "id")} FROM ${table(tables.notifications)} WHERE state = 'pending' AND ${dialect.among("subject", subjects, "id")} GROUP BY subject`

  /** Sends what is asked of a list that is not empty, and reads what comes. */
  function* read<Answers extends Readonly<Record<string, unknown>>>(
    before: ReadonlyArray<Statement>,
    questions: { readonly [Name in keyof Answers]: Question<Answers[Name]> }
  ): Script<{ readonly lead: ReadonlyArray<Rows>; readonly answers: Answers }> {
    const named = Object.entries(questions) as ReadonlyArray<[keyof Answers, Question<Answers[keyof Answers]>]>
    const asked = named.filter(([, question]) => question.statement !== undefined)
    const results = yield* ask(...before, ...asked.flatMap(([, question]) => question.statement ?? []))
    const answers = Object.fromEntries(
      named.map(([name, question]) => {
        const place = asked.findIndex(([of]) => of === name)
        return [name, question.of(place < 0 ? [] : (results[before.length + place] ?? []))]
      })
    )
    return { lead: results.slice(0, before.length), answers: answers as unknown as Answers }
  }

  const ofUsers = (
    users: UsersTable | undefined,
    userIds: ReadonlyArray<string>,
    customerIds: ReadonlyArray<string>
  ) => ({
    subscriptions: question(userIds, subscriptionsOf, records.rows),
    rows: users?.facts(userIds, customerIds) ?? nothing<UserFact>(),
    known: question(userIds, knownAmong, (rows) => rows.map(([id]) => String(id)))
  })

  return function* load(keys: Keys, held: Set<string>, users: UsersTable | undefined): Script<Loaded> {
    const wanted = [...held]
    const lock = wanted.length === 0 ? undefined : dialect.locks.wait(wanted)
    const first = yield* read<{
      readonly deliveries: ReadonlyArray<DeliveryFact>
      readonly links: ReadonlyArray<LinkRow>
      readonly checkouts: ReadonlyArray<CheckoutRow>
      readonly named: ReadonlyArray<RecordFact>
      readonly unlinked: ReadonlyArray<RecordFact>
      readonly untold: ReadonlyArray<string>
      readonly subscriptions: ReadonlyArray<RecordFact>
      readonly rows: ReadonlyArray<UserFact>
      readonly known: ReadonlyArray<string>
    }>([...dialect.settings(false), ...(lock === undefined ? [] : [lock])], {
      deliveries: question(
        keys.deliveryIds,
        (ids) => sql`${selectDeliveries} WHERE ${dialect.among("id", ids, "key")}`,
        deliveries.rows
      ),
      links: question(
        keys.customerIds,
        (ids) => sql`${selectLinks} WHERE ${dialect.among("customer_id", ids, "id")}`,
        links.rows
      ),
      checkouts: question(
        keys.checkoutIds,
        (ids) => sql`${selectCheckouts} WHERE ${dialect.among("id", ids, "id")}`,
        checkouts.rows
      ),
      named: question(keys.records, recordsNamed, records.rows),
      unlinked: question(keys.customerIds, unlinkedOf, records.rows),
      untold: question(
        keys.records.map(({ id }) => id),
        untoldAmong,
        (rows) => rows.map(([id]) => String(id))
      ),
      ...ofUsers(users, keys.userIds, keys.customerIds)
    })
    if (lock !== undefined) dialect.locks.check(wanted, first.lead.at(-1) ?? [])
    const { answers } = first

    const found = new Map<string, RecordFact>()
    for (const row of [...answers.named, ...answers.unlinked, ...answers.subscriptions]) found.set(recordKey(row), row)
    const rowsOfUsers = new Map(answers.rows.map((row) => [row.id, row]))
    const asked = new Set(keys.userIds)

    // Each turn adds at least one name, and mostly there is none.
    for (;;) {
      const owners = new Set<string>()
      for (const { userId } of [...answers.links, ...answers.checkouts]) owners.add(userId)
      for (const { userId } of found.values()) if (userId !== null) owners.add(userId)
      const others = [...owners].filter((id) => !asked.has(id))
      const waiting = [...found.values()].filter((row) => row.userId === null && !held.has(recordKey(row)))
      if (others.length === 0 && waiting.length === 0) break
      for (const id of others) asked.add(id)
      const names = [...others.map(userName), ...waiting.map(recordKey)].filter((name) => !held.has(name))
      for (const name of names) held.add(name)
      const attempt = names.length === 0 ? undefined : dialect.locks.attempt(names)
      const more = yield* read<{
        readonly named: ReadonlyArray<RecordFact>
        readonly subscriptions: ReadonlyArray<RecordFact>
        readonly rows: ReadonlyArray<UserFact>
      }>(attempt === undefined ? [] : [attempt.statement], {
        named: question(waiting, recordsNamed, records.rows),
        subscriptions: question(others, subscriptionsOf, records.rows),
        rows: users?.facts(others, []) ?? nothing<UserFact>()
      })
      if (attempt !== undefined && !attempt.isTaken(more.lead[0] ?? [])) return { missing: held }
      for (const row of [...more.answers.named, ...more.answers.subscriptions]) found.set(recordKey(row), row)
      for (const row of more.answers.rows) rowsOfUsers.set(row.id, row)
    }

    return {
      facts: {
        deliveries: answers.deliveries,
        links: answers.links,
        checkouts: answers.checkouts,
        records: [...found.values()],
        users: [...rowsOfUsers.values()],
        knownUserIds: answers.known,
        untoldSubjects: answers.untold
      }
    }
  }
}

const question = <Key, A>(
  keys: ReadonlyArray<Key>,
  statement: (keys: ReadonlyArray<Key>) => Statement,
  of: (rows: Rows) => A
): Question<A> => ({ statement: keys.length === 0 ? undefined : statement(keys), of })

const nothing = <Row>(): Question<ReadonlyArray<Row>> => ({ statement: undefined, of: () => [] })

export const factFields: ReadonlyArray<keyof RecordFact & string> = [
  "kind",
  "id",
  "userId",
  "ownedBy",
  "customerId",
  "organizationId",
  "productId",
  "subscriptionId",
  "orderId",
  "benefitId",
  "checkoutId",
  "status",
  "live",
  "endsAt",
  "eventAt",
  "precedence",
  "deliveryId",
  "updatedAt",
  "summary"
]
