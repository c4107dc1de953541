/**
 * The yardstick "usual": what people write today. The SDK's `validateEvent`, then drizzle: is the subscription there,
 * insert or update it, update the user. No inbox, no order, no transaction, nobody told.
 */
import { webhooks } from "@polar-sh/sdk/2026-10"
import { bareServer, Forged } from "./bareServer.ts"
import type { PolarEvent } from "./PolarEvent.ts"
import type { Subject, SubjectSettings } from "./Subject.ts"
import { openMysql, openPostgres, openSqlite } from "./usualDrizzle.ts"

export interface UsualStore {
  readonly apply: (event: PolarEvent) => Promise<void>
  readonly close: () => Promise<void>
}

const openers: Record<SubjectSettings["store"], (url: string) => UsualStore> = {
  sqlite: openSqlite,
  postgres: openPostgres,
  mysql: openMysql,
  mariadb: openMysql
}

export const startUsual = async ({ secret, store, url }: SubjectSettings): Promise<Subject> => {
  const database = openers[store](url)
  const { close, port } = await bareServer(async (body, headers) => {
    const event: unknown = await webhooks
      .validateEvent(body, headers as Record<string, string>, secret)
      .catch((error: unknown) => {
        throw new Forged(error instanceof Error ? error.message : String(error))
      })
    // The SDK's types have every event's shape; these are the fields that are read.
    await database.apply(event as PolarEvent)
  })
  return {
    port,
    close: async () => {
      await close()
      await database.close()
    }
  }
}
