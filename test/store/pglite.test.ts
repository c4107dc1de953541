/** The store contract on PGlite, which needs no server. */
import { onPGlite } from "./PostgresHarness.ts"
import { storeContract } from "./storeContract.ts"

storeContract({ name: "PGlite", layer: onPGlite, hasDatabase: true })
