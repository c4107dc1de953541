import type { MachinePart, StorePart } from "../Bench.ts"
import { attack } from "./attack.ts"
import { checkout } from "./checkout.ts"
import { growth } from "./growth.ts"
import { imported } from "./imported.ts"
import { ingest } from "./ingest.ts"
import { kinds } from "./kinds.ts"
import { lag } from "./lag.ts"
import { read } from "./read.ts"
import { soak } from "./soak.ts"
import { verify } from "./verify.ts"

/** In the order in which they run: first these, then those on one store after the other. */
export const machineParts: ReadonlyArray<MachinePart> = [verify, imported, attack]
export const storeParts: ReadonlyArray<StorePart> = [ingest, kinds, read, checkout, lag, growth, soak]

export const partNames = [...machineParts, ...storeParts].map(({ name }) => name)
