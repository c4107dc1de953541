/** The store contract on libSQL without a server. */
import { onFile, onLentMemory } from "./LibsqlHarness.ts"
import { storeContract } from "./storeContract.ts"

storeContract({ name: "libSQL file", layer: onFile, hasDatabase: true })

storeContract({ name: "libSQL in memory, a client of the app's", layer: onLentMemory, hasDatabase: true })
