/** What is said when a database's driver is not there to be loaded. */
import * as Effect from "effect/Effect"
import { StoreError } from "../store/StoreError.ts"

/**
 * Loads a driver with a function that imports it in a `try` and throws `driverNotInstalled`. Bundlers take an import in a
 * `try` for one that may be absent: esbuild, webpack, Turbopack and Vite make a bundle without it, and elsewhere put it in.
 */
export const loadedBy = <A>(load: () => Promise<A>): Effect.Effect<A, StoreError> =>
  Effect.tryPromise({
    try: load,
    catch: (error) => (error instanceof StoreError ? error : driverNotInstalled("the driver", "it")(error))
  })

/** `packages` are what to install, as in `pg`. */
export const driverNotInstalled =
  (driver: string, packages = driver) =>
  (error: unknown): StoreError =>
    new StoreError({
      operation: "open",
      reason: "unavailable",
      detail: `${driver} cannot be loaded (${codeOf(error) ?? "no code"}); run npm install ${packages}`
    })

/** The code that Node and database drivers give their errors. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined
