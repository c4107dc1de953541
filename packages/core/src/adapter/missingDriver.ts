/** What is said when a database's driver is not there to be loaded. */
import { StoreError } from "../store/StoreError.ts"

/** `packages` are what to install, as in `pg drizzle-orm`. */
export const driverNotInstalled =
  (driver: string, packages: string) =>
  (error: unknown): StoreError =>
    new StoreError({
      operation: "open",
      reason: "unavailable",
      detail: `${driver} cannot be loaded (${codeOf(error) ?? "no code"}); run npm install ${packages}`
    })

/** The code that Node and database drivers give their errors. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined
