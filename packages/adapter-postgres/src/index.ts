export * as PostgresStore from "./PostgresStore.ts"
export * as schema from "./schema.ts"
