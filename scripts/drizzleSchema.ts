/**
 * The drizzle definitions that the adapters export, made of the one description of the tables. They declare what
 * drizzle-kit compares: columns, keys and indexes; so that an app that pushes its schema drops nothing of the store's.
 */
import type { Column, ColumnType, Index, Table, View } from "@kavach-polar/core/adapter"
import { indexColumns, sqlName, tables, views } from "@kavach-polar/core/adapter"

/** What a dialect's definitions are made with. */
interface Writing {
  /** Of drizzle's module for the dialect. */
  readonly from: string
  readonly table: string
  readonly view: string
  /** What stands before the tables. */
  readonly helpers: ReadonlyArray<string>
  readonly says: string
  readonly column: (name: string, type: ColumnType) => string
  /** Whether an index can have a condition. Where it cannot, it has other columns, and perhaps generated ones. */
  readonly hasConditions: boolean
  readonly generated: (name: string, expression: string) => string
  readonly field: Readonly<Record<View["fields"][number]["type"], (name: string) => string>>
  readonly further: ReadonlyArray<Table>
}

const history: Table = {
  name: "kavach_polar_migrations",
  says: "Which migrations this database has had.",
  columns: {
    version: { type: "count" },
    name: { type: "key" },
    checksum: { type: "id", says: "SHA-256 of the migration's SQL, in hexadecimal" },
    appliedAt: { type: "time" },
    requires: { type: "count", says: "the earliest migration that a program has to know to work on the database" }
  },
  key: ["version"],
  indexes: []
}

const locks: Table = {
  name: "kavach_polar_locks",
  says: "What a step locks before it reads: its rows hold nothing, and must all be there.",
  columns: { id: { type: "count" } },
  key: ["id"],
  indexes: []
}

const quoted = (text: string): string => JSON.stringify(text)

export const writings: Readonly<Record<"sqlite" | "postgres" | "mysql", Writing>> = {
  sqlite: {
    from: "drizzle-orm/sqlite-core",
    table: "sqliteTable",
    view: "sqliteView",
    helpers: ['const flag = (name: string) => integer(name, { mode: "boolean" })'],
    says: "Times are text: ISO 8601 in UTC with milliseconds, which reads and sorts as it is.",
    column: (name, type) => {
      if (type === "flag") return `flag(${quoted(name)})`
      return type === "micros" || type === "count" ? `integer(${quoted(name)})` : `text(${quoted(name)})`
    },
    hasConditions: false,
    generated: (name, expression) =>
      `integer(${quoted(name)}, { mode: "boolean" }).generatedAlwaysAs(sql\`${expression}\`, { mode: "virtual" })`,
    field: {
      text: (name) => `text(${quoted(name)})`,
      integer: (name) => `integer(${quoted(name)})`,
      flag: (name) => `flag(${quoted(name)})`,
      time: (name) => `text(${quoted(name)})`
    },
    further: []
  },
  postgres: {
    from: "drizzle-orm/pg-core",
    table: "pgTable",
    view: "pgView",
    helpers: [
      "/** `timestamptz(3)`: what a `Date` holds, exactly. */",
      'const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" })',
      "/** `bigint` as a number: the values are safe integers. */",
      'const safeInteger = (name: string) => bigint(name, { mode: "number" })'
    ],
    says: 'Ids are collated "C" in the database.',
    column: (name, type) => {
      switch (type) {
        case "time":
          return `time(${quoted(name)})`
        case "micros":
          return `safeInteger(${quoted(name)})`
        case "count":
          return `integer(${quoted(name)})`
        case "flag":
          return `boolean(${quoted(name)})`
        default:
          return `text(${quoted(name)})`
      }
    },
    hasConditions: true,
    generated: () => "",
    field: {
      text: (name) => `text(${quoted(name)})`,
      integer: (name) => `safeInteger(${quoted(name)})`,
      flag: (name) => `boolean(${quoted(name)})`,
      time: (name) => `time(${quoted(name)})`
    },
    further: []
  },
  mysql: {
    from: "drizzle-orm/mysql-core",
    table: "mysqlTable",
    view: "mysqlView",
    helpers: [
      "/** As text, so that no time zone of a pool or a session matters: DATETIME(6) in UTC. */",
      'const time = (name: string) => datetime(name, { mode: "string", fsp: 6 })',
      "/** `BIGINT` as a number: the values are safe integers. */",
      'const safeInteger = (name: string) => bigint(name, { mode: "number" })'
    ],
    says: "Text is compared byte by byte in the database.",
    column: (name, type) => {
      switch (type) {
        case "id":
          return `varchar(${quoted(name)}, { length: 64 })`
        case "key":
        case "name":
          return `varchar(${quoted(name)}, { length: 255 })`
        case "word":
          return `varchar(${quoted(name)}, { length: 16 })`
        case "text":
          return `mediumtext(${quoted(name)})`
        case "long":
          return `longtext(${quoted(name)})`
        case "micros":
          return `safeInteger(${quoted(name)})`
        case "count":
          return `int(${quoted(name)})`
        case "flag":
          return `boolean(${quoted(name)})`
        case "time":
          return `time(${quoted(name)})`
      }
    },
    hasConditions: false,
    generated: (name, expression) =>
      `boolean(${quoted(name)}).generatedAlwaysAs(sql\`(${expression})\`, { mode: "stored" })`,
    field: {
      text: (name) => `text(${quoted(name)})`,
      integer: (name) => `safeInteger(${quoted(name)})`,
      flag: (name) => `boolean(${quoted(name)})`,
      time: (name) => `time(${quoted(name)})`
    },
    further: [locks]
  }
}

const doc = (says: string | undefined): string => (says === undefined ? "" : `/** ${sentence(says)} */\n`)
const sentence = (says: string): string =>
  `${says.charAt(0).toUpperCase()}${says.slice(1)}${says.endsWith(".") ? "" : "."}`

/** The fields that are declared to hold what the core's types say. */
const typesOf: Readonly<Record<string, string>> = {
  "kavach_polar_deliveries.state": "DeliveryState",
  "kavach_polar_customers.linkedBy": "LinkSource",
  "kavach_polar_notifications.state": '"pending" | "done" | "superseded" | "dead" | "buried"'
}

/** As the history's table is made: the rows of an earlier version's have no number of their own. */
const defaults: Readonly<Record<string, string>> = { "kavach_polar_migrations.requires": "4" }

const columnCode = (writing: Writing, table: Table, field: string, column: Column): string => {
  const name = `${table.name}.${field}`
  const type = typesOf[name]
  const standard = defaults[name]
  const isKey = table.key.length === 1 && table.key[0] === field
  return `${doc(column.says)}${field}: ${writing.column(sqlName(field), column.type)}${type === undefined ? "" : `.$type<${type}>()`}${isKey ? ".primaryKey()" : column.nullable === true ? "" : ".notNull()"}${standard === undefined ? "" : `.default(${standard})`}`
}

/** None where the dialect has no such index. */
const indexCode = (writing: Writing, index: Index): ReadonlyArray<string> => {
  const { name, where } = index
  const on = indexColumns(index, writing.hasConditions).map((field) => `table.${field}`)
  if (on.length === 0) return []
  const condition = writing.hasConditions && where !== undefined ? `.where(sql\`${where}\`)` : ""
  return [`index(${quoted(name)}).on(${on.join(", ")})${condition}`]
}

const tableCode = (writing: Writing, table: Table): string => {
  const columns = Object.entries(table.columns).map(([field, column]) => columnCode(writing, table, field, column))
  if (!writing.hasConditions) {
    for (const [field, expression] of Object.entries(table.generated ?? {})) {
      columns.push(`${field}: ${writing.generated(sqlName(field), expression)}`)
    }
  }
  const extras = [
    ...(table.key.length > 1
      ? [`primaryKey({ columns: [${table.key.map((field) => `table.${field}`).join(", ")}] })`]
      : []),
    ...table.indexes.flatMap((index) => indexCode(writing, index))
  ]
  const name = camel(table.name)
  return `${doc(table.says)}export const ${name} = ${writing.table}(${quoted(table.name)}, {\n${columns.join(",\n")}\n}${extras.length === 0 ? "" : `, (table) => [\n${extras.join(",\n")}\n]`})`
}

const camel = (table: string): string => {
  const [first = "", ...rest] = table.replace(/^kavach_polar_/, "").split("_")
  return first + rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("")
}

const records = tables.find(({ name }) => name === "kavach_polar_records")

const viewCode = (writing: Writing, view: View): string => {
  const columns = view.columns.map((field) => {
    const column = records?.columns[field]
    if (column === undefined) throw new Error(`the records have no column ${field}`)
    return `${field}: ${writing.column(sqlName(field), column.type)}${column.nullable === true ? "" : ".notNull()"}`
  })
  const fields = view.fields.map(({ name, type }) => `${camelField(name)}: ${writing.field[type](name)}`)
  return `/** The ${view.kind}s, as a view on the records. */\nexport const ${camel(view.name)} = ${writing.view}(${quoted(view.name)}, {\n${[...columns, ...fields].join(",\n")}\n}).existing()`
}

const camelField = (name: string): string => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** TypeScript, not yet formatted. */
export const schemaCode = (writing: Writing): string => {
  const body = [
    ...writing.helpers,
    "",
    ...[...tables, ...writing.further, history].map((table) => `${tableCode(writing, table)}\n`),
    ...views.map((view) => `${viewCode(writing, view)}\n`)
  ].join("\n")
  const used = [
    ...new Set(
      body.match(
        /\b(?:sqlite|pg|mysql)(?:Table|View)\b|(?<!\.)\b(?:bigint|boolean|datetime|index|int|integer|longtext|mediumtext|primaryKey|text|timestamp|varchar)(?=\()/g
      )
    )
  ].sort()
  return `/**
 * The store's tables and views, for apps that read them with drizzle, and for drizzle-kit. The store alone writes them.
 *
 * ${writing.says} \`eventAt\` is the event's own timestamp in epoch microseconds, because order is decided on it.
 *
 * Made by \`npm run generate\` from the description of the tables in packages/core/src/adapter/tables.ts.
 */
import type { LinkSource } from "@kavach-polar/core/adapter/rows"
import type { DeliveryState } from "@kavach-polar/core/Delivery"
import { sql } from "drizzle-orm"
import { ${used.join(", ")} } from "${writing.from}"

${body}`
}

/** Where the definitions of each dialect are kept. */
export const schemaFiles: ReadonlyArray<readonly [file: string, writing: Writing]> = [
  ["packages/adapter-sqlite/src/schema.ts", writings.sqlite],
  ["packages/adapter-libsql/src/schema.ts", writings.sqlite],
  ["packages/adapter-postgres/src/schema.ts", writings.postgres],
  ["packages/adapter-mysql/src/schema.ts", writings.mysql]
]
