import { defineConfig } from "vitest/config"

const conditions = ["kavach-polar-source"]
export default defineConfig({
  resolve: {
    conditions,
    alias: [{ find: /^@kavach-polar\/adapter-(mysql|postgres).*$/, replacement: "/tmp/h/lib/stub.ts" }]
  },
  ssr: { resolve: { conditions } }
})
