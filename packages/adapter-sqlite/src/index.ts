export * as SqliteStore from "./SqliteStore.ts"
export * as schema from "./schema.ts"
