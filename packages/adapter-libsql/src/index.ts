export * as LibsqlStore from "./LibsqlStore.ts"
