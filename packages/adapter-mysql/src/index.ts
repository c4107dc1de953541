export * as MysqlStore from "./MysqlStore.ts"
export * as schema from "./schema.ts"
