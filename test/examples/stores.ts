import { LibsqlStore } from "@kavach-polar/adapter-libsql"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { polar } from "@kavach-polar/http"

const store = {
  sqlite: SqliteStore.layer({ filename: "billing.sqlite" }),
  libsql: LibsqlStore.layer({ url: "file:billing.db" }),
  postgres: PostgresStore.layer({ url: "postgres://app@127.0.0.1/app" }),
  // The same with postgres.js in place of node-postgres.
  postgresJs: PostgresStore.layer({ url: "postgres://app@127.0.0.1/app", driver: "postgres" }),
  mysql: MysqlStore.layer({ url: "mysql://app@127.0.0.1/app" })
}

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  store: store.postgres
})
