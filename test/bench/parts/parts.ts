import type { Part } from "../Bench.ts"
import { ingest } from "./ingest.ts"
import { verify } from "./verify.ts"

/** In the order in which they run. */
export const parts: ReadonlyArray<Part> = [verify, ingest]
