/** The short forms of the proofs `kill` and `outage` on PostgreSQL: on servers of their own, which they stop and start. */
import { describe } from "vitest"
import { kill } from "../prove/kill.ts"
import { outage } from "../prove/outage.ts"
import { proves } from "../prove/shortForms.ts"
import { serverUrl } from "../servers/serverUrl.ts"

describe.skipIf(serverUrl("postgres") === undefined)("proofs that end processes", () => {
  proves(kill, "postgres", 4)
  proves(outage, "postgres", 1, "cut")
  for (const fault of ["freeze", "swallow", "lock"]) proves(outage, "postgres", 1, fault)
})
