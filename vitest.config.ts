import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { SlowestFirst } from "./test/slowestFirst.ts"

const conditions = ["kavach-polar-source"]

const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions } }
}

export default defineConfig({
  ...shared,
  test: {
    // The logs of tests that fail are enough.
    silent: "passed-only",
    // Files share nothing but the servers, on which each makes databases of its own. Vitest would leave a core free, and so
    // run one after the other on two; and many wait for a deadline or for a server more than they compute.
    maxWorkers: availableParallelism(),
    // What is slowest starts first, so that no worker is alone with it at the end.
    sequence: { sequencer: SlowestFirst },
    // Each file has a process of its own, which costs a second or two. Without, files see what others have left in modules and
    // globals, and a worker grows to gigabytes.
    isolate: true,
    projects: [
      {
        ...shared,
        test: {
          name: "unit",
          setupFiles: ["test/seeds.ts"],
          include: ["packages/*/test/**/*.test.ts", "examples/*/test/**/*.test.ts", "test/**/*.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**", "test/servers/**", "test/databases/**", "test/browser/**"],
          // A busy machine, not a slow test: PGlite starts a whole server in WebAssembly.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          server: { deps: { inline: [/@kavach-polar\//] } }
        }
      },
      {
        ...shared,
        test: {
          name: "databases",
          setupFiles: ["test/seeds.ts"],
          include: ["test/databases/**/*.test.ts"],
          globalSetup: "test/servers/globalSetup.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
          server: { deps: { inline: [/@kavach-polar\//] } }
        }
      },
      {
        ...shared,
        test: {
          name: "browser",
          setupFiles: ["test/seeds.ts"],
          include: ["test/browser/**/*.test.ts"],
          globalSetup: "test/browser/globalSetup.ts",
          // A person's minute; the machine may be busy.
          testTimeout: 90_000,
          hookTimeout: 60_000,
          server: { deps: { inline: [/@kavach-polar\//] } }
        }
      }
    ]
  }
})
