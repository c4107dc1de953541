/**
 * Millions of stored subscriptions, made by the database itself: each with its user, link, delivery and notification, all
 * settled. The ids lie evenly among all that a UUID can be, so that what arrives later falls anywhere between them. They are
 * filled in in order, which is quick, but not all at once: seven of ten, and then the others between those. In order alone
 * pages would be full, and each would be split by the first that arrives in it; this leaves them as full as a table's are
 * whose ids came in any order.
 */
import type { StoreName } from "../Bench.ts"
import type { BenchDatabase } from "./BenchDatabase.ts"

const atOnce = 100_000

/** So that the largest of `size` ids begins with less than ffffffff. */
const stepOf = (size: number): number => Math.floor(2 ** 32 / size)

/** The user of the n-th subscription, and the id of everything that is the user's. */
export const filledUser = (n: number, size: number): string =>
  `${(n * stepOf(size)).toString(16).padStart(8, "0")}-0000-4000-8000-${String(n).padStart(12, "0")}`

interface Dialect {
  readonly concat: (...parts: ReadonlyArray<string>) => string
  /** Eight hexadecimal digits of a product, and twelve decimal ones of a number. */
  readonly hex: (number: string, times: number) => string
  readonly decimal: (number: string) => string
  readonly time: string
  /** In the users' table. */
  readonly userTime: string
  readonly yes: string
  /** Before and after. */
  readonly begin: ReadonlyArray<string>
  readonly finish: (tables: ReadonlyArray<string>) => ReadonlyArray<string>
}

const analyzeEach = (tables: ReadonlyArray<string>) => [`ANALYZE TABLE ${tables.join(", ")}`]

const dialects: Record<Exclude<StoreName, "libsql" | "postgres-js">, Dialect> = {
  sqlite: {
    concat: (...parts) => parts.join(" || "),
    hex: (number, times) => `printf('%08x', ${number} * ${times})`,
    decimal: (number) => `printf('%012d', ${number})`,
    time: "'2026-11-01T00:00:00.000Z'",
    userTime: "1790000000",
    yes: "1",
    begin: [],
    finish: () => ["PRAGMA wal_checkpoint(TRUNCATE)"]
  },
  postgres: {
    concat: (...parts) => parts.join(" || "),
    hex: (number, times) => `lpad(to_hex(${number}::bigint * ${times}), 8, '0')`,
    decimal: (number) => `lpad((${number})::text, 12, '0')`,
    time: "timestamptz '2026-11-01'",
    userTime: "timestamptz '2026-11-01'",
    yes: "true",
    begin: ["SET synchronous_commit = off"],
    finish: (tables) => [...tables.map((table) => `VACUUM ANALYZE ${table}`), "CHECKPOINT"]
  },
  mysql: {
    concat: (...parts) => `concat(${parts.join(", ")})`,
    hex: (number, times) => `lower(lpad(hex(${number} * ${times}), 8, '0'))`,
    decimal: (number) => `lpad(${number}, 12, '0')`,
    time: "'2026-11-01'",
    userTime: "'2026-11-01'",
    yes: "1",
    // What is filled in here need not outlive the server.
    begin: ["SET SESSION sql_log_bin = 0"],
    finish: analyzeEach
  },
  mariadb: {
    concat: (...parts) => `concat(${parts.join(", ")})`,
    hex: (number, times) => `lower(lpad(hex(${number} * ${times}), 8, '0'))`,
    decimal: (number) => `lpad(${number}, 12, '0')`,
    time: "'2026-11-01'",
    userTime: "'2026-11-01'",
    yes: "1",
    begin: [],
    finish: analyzeEach
  }
}

const dialectOf = (store: StoreName): Dialect =>
  dialects[store === "libsql" ? "sqlite" : store === "postgres-js" ? "postgres" : store]

/** Fills the empty tables. `data` is a subscription's as ours stores it: its ids are replaced. */
export const fill = async (
  database: BenchDatabase,
  size: number,
  data: string,
  progress: (rows: number) => void
): Promise<void> => {
  const dialect = dialectOf(database.store)
  const tables = [
    "kavach_polar_deliveries",
    "kavach_polar_records",
    "kavach_polar_customers",
    "kavach_polar_notifications",
    "kavach_users"
  ]
  await database.empty(tables)
  for (const statement of dialect.begin) await database.run(statement)
  let rows = 0
  for (const pass of passes) {
    for (let from = 0; from < size; from += atOnce) {
      const to = Math.min(from + atOnce, size)
      for (const statement of inserts(dialect, data, { from, to, size, pass })) await database.run(statement)
      rows += (to - from) * pass.share
      progress(Math.round(rows))
    }
  }
  for (const statement of dialect.finish(tables)) await database.run(statement)
}

/** Of ten in a row the second pass has three, well apart. */
const passes = [
  { condition: "n * 3 % 10 >= 3", share: 0.7 },
  { condition: "n * 3 % 10 < 3", share: 0.3 }
] as const

interface Range {
  readonly from: number
  readonly to: number
  readonly size: number
  readonly pass: (typeof passes)[number]
}

const inserts = (dialect: Dialect, data: string, range: Range): ReadonlyArray<string> => {
  const { concat, time, userTime, yes } = dialect
  const micros = "1790000000000000"
  const text = (value: string) => {
    // What a backslash means differs between the databases.
    if (/['\\]/.test(value)) throw new Error(`no text to fill in: ${value}`)
    return `'${value}'`
  }
  const { product, parts } = holesIn(data)
  const filled = concat(...parts.flatMap((part, index) => (index === 0 ? [text(part)] : ["id", text(part)])))
  const email = concat("id", "'@acme-mail.dev'")
  return [
    insert(dialect, range, "kavach_users", {
      id: "id",
      email,
      polar_customer_id: "id",
      polar_subscription_id: "id",
      polar_subscription_status: "'active'",
      polar_product_id: text(product),
      created_at: userTime,
      updated_at: userTime
    }),
    insert(dialect, range, "kavach_polar_customers", {
      customer_id: "id",
      user_id: "id",
      linked_by: "'external_id'",
      linked_at: time
    }),
    insert(dialect, range, "kavach_polar_records", {
      record_key: concat("'subscription '", "id"),
      kind: "'subscription'",
      id: "id",
      user_id: "id",
      customer_id: "id",
      product_id: text(product),
      status: "'active'",
      live: yes,
      event_at: micros,
      precedence: "0",
      delivery_id: "id",
      updated_at: time,
      summary: text(summary),
      data: filled
    }),
    insert(dialect, range, "kavach_polar_deliveries", {
      id: "id",
      type: "'subscription.active'",
      state: "'applied'",
      event_at: micros,
      received_at: time,
      updated_at: time,
      customer_id: "id",
      record_kind: "'subscription'",
      record_id: "id",
      user_id: "id",
      attempts: "1"
    }),
    insert(dialect, range, "kavach_polar_notifications", {
      id: concat("id", "':1:0'"),
      subject: "id",
      user_id: "id",
      event_at: micros,
      precedence: "0",
      payload: "'{}'",
      created_at: time,
      state: "'done'",
      attempts: "1",
      available_at: time,
      updated_at: time
    })
  ]
}

const insert = (
  { concat, decimal, hex }: Dialect,
  { from, pass, size, to }: Range,
  table: string,
  columns: Readonly<Record<string, string>>
): string => {
  const id = concat(hex("n", stepOf(size)), "'-0000-4000-8000-'", decimal("n"))
  return `INSERT INTO ${table} (${Object.keys(columns).join(", ")})
    WITH digit AS (${Array.from({ length: 10 }, (_, n) => `SELECT ${n} AS d`).join(" UNION ALL ")}),
    number AS (SELECT ${from} + a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d AS n
      FROM digit AS a CROSS JOIN digit AS b CROSS JOIN digit AS c CROSS JOIN digit AS e CROSS JOIN digit AS f),
    filler AS (SELECT ${id} AS id FROM number WHERE n < ${to} AND ${pass.condition})
    SELECT ${Object.values(columns).join(", ")} FROM filler ORDER BY id`
}

/** Of what each of them has: what the columns do not say and decisions need. */
const summary = JSON.stringify({
  currentPeriodEnd: "2099-12-31T00:00:00.000Z",
  cancelAtPeriodEnd: false,
  endsAt: null,
  pastDueAt: null
})

/** The text between the ids that are each subscription's own. */
const holesIn = (data: string): { readonly product: string; readonly parts: ReadonlyArray<string> } => {
  const subscription: {
    readonly id: string
    readonly productId: string
    readonly customer: { readonly id: string; readonly externalId: string }
  } = JSON.parse(data)
  const { customer, id, productId } = subscription
  return { product: productId, parts: data.split(new RegExp([id, customer.id, customer.externalId].join("|"))) }
}
