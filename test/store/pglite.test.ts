/** The store contract on PGlite, which needs no server. */
import { storeContract } from "@kavach-polar/core/testing"
import { onPGlite } from "./PostgresHarness.ts"

storeContract({ name: "PGlite", layer: onPGlite, hasDatabase: true, sharesClock: true })
