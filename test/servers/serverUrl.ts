import { inject } from "vitest"
import type { ServerName } from "./obtainServer.ts"

/** The address of this run's server; `undefined` where there is none, and then its tests are not run. */
export const serverUrl = (name: ServerName): string | undefined => inject("servers")[name] ?? undefined
