/** The store contract on libSQL's own server. */
import { describe } from "@effect/vitest"
import { hasSqld } from "../servers/hasSqld.ts"
import { onServer } from "../store/LibsqlHarness.ts"
import { storeContract } from "../store/storeContract.ts"

describe.skipIf(!hasSqld)("libSQL server", () => {
  storeContract({ name: "libSQL server", layer: onServer, hasDatabase: true })
})
