/** The store contract on libSQL without a server. */

import { storeContract } from "@kavach-polar/core/testing"
import { onFile, onLentMemory } from "./LibsqlHarness.ts"

storeContract({ name: "libSQL file", layer: onFile, hasDatabase: true })

storeContract({ name: "libSQL in memory, a client of the app's", layer: onLentMemory, hasDatabase: true })
