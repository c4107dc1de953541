import { schema } from "@kavach-polar/adapter-postgres"
import { and, eq } from "drizzle-orm"
import type { NodePgDatabase } from "drizzle-orm/node-postgres"

export const liveSubscriptions = (db: NodePgDatabase, productId: string) =>
  db
    .select({ userId: schema.subscriptions.userId, status: schema.subscriptions.status })
    .from(schema.subscriptions)
    .where(and(eq(schema.subscriptions.productId, productId), eq(schema.subscriptions.live, true)))
