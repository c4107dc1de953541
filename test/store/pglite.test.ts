/** The store contract on PGlite, which needs no server. */

import { storeContract } from "@kavach-polar/core/testing"
import { vi } from "vitest"
import { onPGlite } from "./PostgresHarness.ts"

// A case makes hundreds of steps, and here the database shares the thread.
vi.setConfig({ testTimeout: 60_000 })

storeContract({ name: "PGlite", layer: onPGlite, hasDatabase: true })
