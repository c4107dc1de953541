import { defineConfig } from "vitest/config"

export default defineConfig({
  resolve: { conditions: ["kavach-polar-source"] },
  ssr: { resolve: { conditions: ["kavach-polar-source"] } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    server: { deps: { inline: [/@kavach-polar\//] } }
  }
})
