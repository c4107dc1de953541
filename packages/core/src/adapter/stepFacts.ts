/**
 * What a step's keys lead to, read under locks so that it stays true until the commit.
 *
 * Names are locked first: of the deliveries, customers, records and users that the keys name. Most often that is all,
 * because an event names its user too. What is read may lead to further users and records; their names are then locked
 * too, without waiting, since names are waited for in one order only, and read again. If somebody else has one of them,
 * the step begins anew and waits for all at once. So nobody waits in a circle.
 *
 * A delivery, a link or a record is only written under the lock of its name; whatever is of a user (the projection) by
 * who holds the user's name. A user's row may appear meanwhile, which is as if the step had come just before.
 */
import { recordKey } from "../records/RecordReport.ts"
import type { CheckoutRow, DeliveryFact, LinkRow, RecordFact, StoredRecord, UserFact } from "../records/rows.ts"
import { isParent } from "../steps/keys.ts"
import { isListed } from "../steps/listedOrigin.ts"
import type { Facts, Keys, RecordId, UntoldSubject } from "../steps/Step.ts"
import { recordSubject, sequencedSubjects } from "../steps/subjects.ts"
import type { Patience } from "../store/StoreDriver.ts"
import type { Dialect } from "./Dialect.ts"
import { accessTo } from "./rowsOf.ts"
import { ask, askOne, join, type Question, type Rows, type Script, type Statement, sql } from "./Script.ts"
import * as tables from "./tables.ts"
import type { UsersTable } from "./usersTable.ts"

/** What is locked: names of rows that may not be there yet. */
export type Names = ReadonlySet<string>

export const namesOf = (keys: Keys): Set<string> =>
  new Set([
    ...keys.deliveryIds.map((id) => `delivery ${id}`),
    ...keys.customerIds.map((id) => `customer ${id}`),
    ...keys.records.map(recordKey),
    ...(keys.wholeRecords ?? []).map(recordKey),
    ...keys.checkoutIds.map((id) => `checkout ${id}`),
    ...keys.userIds.map(userName)
  ])

const userName = (id: string): string => `user ${id}`

/** Either all that the step needs, or names that it has to wait for from the beginning. */
export type Loaded = { readonly facts: Facts } | { readonly missing: Names }

/** Those of the users that have a link or a checkout. */
export const usersKnownAmong = (dialect: Dialect, userIds: ReadonlyArray<string>): Statement => {
  const table = (one: tables.Table) => dialect.table(one.name)
  const isOne = dialect.among("user_id", userIds, "key")
  const id = dialect.read("user_id", "key")
  return sql`SELECT ${id} FROM ${table(tables.customers)} WHERE ${isOne} UNION SELECT ${id} FROM ${table(tables.checkouts)} WHERE ${isOne}`
}

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
  const stored = accessTo<StoredRecord>(dialect, tables.records, ["kind", "id", "data"])
  const [selectDeliveries, selectLinks, selectCheckouts, selectRecords] = [
    deliveries.select(),
    links.select(),
    checkouts.select(),
    records.select()
  ]
  const table = (one: tables.Table) => dialect.table(one.name)

  const recordsNamed = (named: ReadonlyArray<RecordId>): Statement =>
    sql`${selectRecords} WHERE ${dialect.among("record_key", named.map(recordKey), "key")}`

  const dataOf = (named: ReadonlyArray<RecordId>): Statement =>
    sql`${stored.select()} WHERE ${dialect.among("record_key", named.map(recordKey), "key")}`

  const unlinkedOf = (customerIds: ReadonlyArray<string>): Statement =>
    sql`${selectRecords} WHERE ${dialect.among("customer_id", customerIds, "id")} AND user_id IS NULL`

  /** What hangs on these and is nobody's, or was given to its user by less than that: it came before them. */
  const weaklyHangingOn = (parents: ReadonlyArray<RecordId>): Statement =>
    sql`${hangingOn(parents)} AND (user_id IS NULL OR owned_by IN ('link', 'external_id', 'metadata'))`

  /** The same, and what has its user by these. */
  const followingOn = (parents: ReadonlyArray<RecordId>): Statement =>
    sql`${hangingOn(parents)} AND (user_id IS NULL OR owned_by IN ('parent', 'link', 'external_id', 'metadata'))`

  const hangingOn = (parents: ReadonlyArray<RecordId>): Statement => {
    const idsOf = (wanted: string) => parents.flatMap(({ id, kind }) => (kind === wanted ? [id] : []))
    const halves = [
      { column: "subscription_id", ids: idsOf("subscription") },
      { column: "order_id", ids: idsOf("order") }
    ].flatMap(({ column, ids }) => (ids.length === 0 ? [] : [dialect.among(column, ids, "id")]))
    return sql`${selectRecords} WHERE (${join(halves, " OR ")})`
  }

  const fromCheckouts = (checkoutIds: ReadonlyArray<string>): Statement =>
    sql`${selectRecords} WHERE ${dialect.among("checkout_id", checkoutIds, "id")}`

  const ofCustomers = (customerIds: ReadonlyArray<string>): Statement =>
    sql`${selectRecords} WHERE ${dialect.among("customer_id", customerIds, "id")}`

  const whatUsersHave = (handlers: Keys["handlers"]) => {
    const kinds = handlers?.has("onBenefitChange")
      ? "kind IN ('subscription', 'benefit_grant')"
      : "kind = 'subscription'"
    return (userIds: ReadonlyArray<string>): Statement =>
      sql`${selectRecords} WHERE ${dialect.among("user_id", userIds, "key")} AND ${kinds}`
  }

  const knownAmong = (userIds: ReadonlyArray<string>): Statement => usersKnownAmong(dialect, userIds)

  const untoldAmong = (subjects: ReadonlyArray<string>): Statement =>
    sql`SELECT ${dialect.read("subject", "id")}, ${dialect.read("MAX(event_at)", "micros")} FROM ${table(tables.notifications)} WHERE state = 'pending' AND ${dialect.among("subject", subjects, "id")} GROUP BY subject`

  const untoldIn = (rows: Rows): ReadonlyArray<UntoldSubject> =>
    rows.map(([subject, eventAt]) => ({
      subject: String(subject),
      eventAt: Number(dialect.decode(eventAt, "micros"))
    }))

  /** Records that are taken the same way, whichever of the questions finds them: on an app's pool each statement is a message. */
  const oneOf = (...questions: ReadonlyArray<Question<unknown>>): Question<ReadonlyArray<RecordFact>> => {
    const statements = questions.flatMap(({ statement }) => statement ?? [])
    return { statement: statements.length === 0 ? undefined : join(statements, " UNION ALL "), of: records.rows }
  }

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
    rows: users?.facts(userIds, customerIds) ?? nothing<UserFact>(),
    known: question(userIds, knownAmong, (rows) => rows.map(([id]) => String(id)))
  })

  return function* load(
    keys: Keys,
    held: Set<string>,
    users: UsersTable | undefined,
    patience: Patience
  ): Script<Loaded> {
    const wanted = [...held]
    const theirs = whatUsersHave(keys.handlers)
    const lock = wanted.length === 0 ? undefined : dialect.locks.wait(wanted)
    const first = yield* read<{
      readonly deliveries: ReadonlyArray<DeliveryFact>
      readonly links: ReadonlyArray<LinkRow>
      readonly checkouts: ReadonlyArray<CheckoutRow>
      readonly named: ReadonlyArray<RecordFact>
      readonly changing: ReadonlyArray<RecordFact>
      readonly origin: ReadonlyArray<RecordFact>
      readonly ofCustomers: ReadonlyArray<RecordFact>
      readonly whole: ReadonlyArray<RecordFact>
      readonly untold: ReadonlyArray<UntoldSubject>
      readonly forgotten: ReadonlyArray<StoredRecord>
      readonly detailed: ReadonlyArray<StoredRecord>
      readonly hasUsers: boolean
      readonly rows: ReadonlyArray<UserFact>
      readonly known: ReadonlyArray<string>
    }>([...dialect.settings({ patience }), ...(lock === undefined ? [] : [lock])], {
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
      named: oneOf(question(keys.records, recordsNamed, records.rows), question(keys.userIds, theirs, records.rows)),
      changing: oneOf(
        question(keys.customerIds, unlinkedOf, records.rows),
        question(keys.parents, weaklyHangingOn, records.rows)
      ),
      origin: question(keys.originIds, fromCheckouts, records.rows),
      ofCustomers: question(keys.wholeCustomerIds ?? [], ofCustomers, records.rows),
      whole: question(keys.wholeRecords ?? [], recordsNamed, records.rows),
      hasUsers: users?.some ?? { statement: undefined, of: () => false },
      untold: question([...keys.records.map(recordSubject), ...(keys.subjects ?? [])], untoldAmong, untoldIn),
      // Whoever writes a record of a customer holds the customer's name, as this step does by now.
      forgotten: question(
        keys.forgottenCustomerIds ?? [],
        (ids) => sql`${stored.select()} WHERE ${dialect.among("customer_id", ids, "id")}`,
        stored.rows
      ),
      detailed: question(keys.detailed ?? [], dataOf, stored.rows),
      ...ofUsers(users, keys.userIds, keys.customerIds)
    })
    if (lock !== undefined) dialect.locks.check(wanted, first.lead.at(-1) ?? [])
    const { answers } = first

    const found = new Map<string, RecordFact>()
    // Of these what is read without a lock on its name may change before it is written.
    const mayChange = new Set<string>()
    const find = (rows: ReadonlyArray<RecordFact>) => {
      for (const row of rows) found.set(recordKey(row), row)
    }
    const findToChange = (rows: ReadonlyArray<RecordFact>) => {
      find(rows)
      for (const row of rows) mayChange.add(recordKey(row))
    }
    function* findWhatHangsOn(
      these: ReadonlyArray<RecordFact>,
      statement: (parents: ReadonlyArray<RecordId>) => Statement
    ): Script<void> {
      for (let parents = these.filter(isParent); parents.length > 0; ) {
        const rows = records.rows(yield* askOne(statement(parents))).filter((row) => !mayChange.has(recordKey(row)))
        findToChange(rows)
        parents = rows.filter(isParent)
      }
    }
    find(answers.named)
    findToChange(answers.changing)
    const whole = [...answers.origin, ...answers.ofCustomers, ...answers.whole]
    findToChange(whole)
    // Few of them, and seldom: only what an order or a subscription was given to another user with, or waits with.
    yield* findWhatHangsOn(answers.changing, followingOn)
    yield* findWhatHangsOn(whole, hangingOn)
    const rowsOfUsers = new Map(answers.rows.map((row) => [row.id, row]))
    const asked = new Set(keys.userIds)

    // Each turn adds at least one name, and mostly there is none.
    for (;;) {
      const owners = new Set<string>()
      for (const { userId } of [...answers.links, ...answers.checkouts]) owners.add(userId)
      for (const { userId } of found.values()) if (userId !== null) owners.add(userId)
      // Whose row shows one of the customers, linked or not: who takes it from the row writes the whole of it.
      for (const id of rowsOfUsers.keys()) owners.add(id)
      const others = [...owners].filter((id) => !asked.has(id))
      const waiting = [...found.values()].filter(
        (row) => (row.userId === null || mayChange.has(recordKey(row))) && !held.has(recordKey(row))
      )
      if (others.length === 0 && waiting.length === 0) break
      for (const id of others) asked.add(id)
      const names = [...others.map(userName), ...waiting.map(recordKey)].filter((name) => !held.has(name))
      for (const name of names) held.add(name)
      const attempt = names.length === 0 ? undefined : dialect.locks.attempt(names)
      const more = yield* read<{
        readonly named: ReadonlyArray<RecordFact>
        readonly rows: ReadonlyArray<UserFact>
      }>(attempt === undefined ? [] : [attempt.statement], {
        named: oneOf(question(waiting, recordsNamed, records.rows), question(others, theirs, records.rows)),
        rows: users?.facts(others, []) ?? nothing<UserFact>()
      })
      if (attempt !== undefined && !attempt.isTaken(more.lead[0] ?? [])) return { missing: held }
      for (const row of more.answers.named) found.set(recordKey(row), row)
      for (const row of more.answers.rows) rowsOfUsers.set(row.id, row)
    }

    // Seldom: most of what a step names was brought by an event of its own.
    const detailed = new Set((keys.detailed ?? []).map(recordKey))
    const listed = keys.records.filter((name) => {
      const fact = found.get(recordKey(name))
      return fact !== undefined && isListed(fact) && !detailed.has(recordKey(name))
    })
    const ofListed = listed.length === 0 ? [] : stored.rows(yield* askOne(dataOf(listed)))

    const sequenced = keys.handlers === undefined ? [] : sequencedSubjects(keys.handlers, asked, found.values())
    const sequences = sequenced.length === 0 ? [] : untoldIn(yield* askOne(untoldAmong(sequenced)))

    return {
      facts: {
        deliveries: answers.deliveries,
        links: answers.links,
        checkouts: answers.checkouts,
        records: [...found.values()],
        users: [...rowsOfUsers.values()],
        hasUsers: answers.hasUsers,
        knownUserIds: answers.known,
        untold: [...answers.untold, ...sequences],
        details: [...answers.detailed, ...ofListed],
        forgotten: answers.forgotten
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
  "clockAt",
  "lapsedAt",
  "summary"
]
