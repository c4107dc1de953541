export * as LibsqlStore from "./LibsqlStore.ts"
export * as schema from "./schema.ts"
