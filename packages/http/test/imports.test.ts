import { expect, test } from "vitest"
import { runOn } from "./runOn.ts"

const run = (program: string) => runOn("sources", program)

const timed = (specifier: string) => `
  const start = performance.now()
  await import(${JSON.stringify(specifier)})
  console.log(Math.round(performance.now() - start))`

const heavy = /drizzle-orm|better-sqlite3|sql\.js|libsql|postgres|mysql|\/pg\/|adapter-[a-z]+\//

test("importing the package loads no driver, no drizzle and no adapter", { timeout: 60_000 }, async () => {
  const { loaded } = await run(timed("@kavach-polar/http"))
  expect(loaded.filter((url) => url.includes("/packages/http/src/")).length).toBeGreaterThan(10)
  expect(loaded.filter((url) => url.includes("/packages/core/src/")).length).toBeGreaterThan(10)
  expect(loaded.filter((url) => heavy.test(url))).toEqual([])
  // Nor the barrels of effect and its platform, which double the time.
  expect(loaded.filter((url) => /\/(effect|platform)\/dist\/esm\/index\.js$/.test(url))).toEqual([])
  // Nor the command line.
  expect(loaded.filter((url) => url.includes("/http/src/cli/"))).toEqual([])
  const again = await run(timed("@kavach-polar/http"))
  process.stdout.write(
    `importing @kavach-polar/http: ${again.printed.trim()} ms, ${again.loaded.length} modules (with a hook that lists them)\n`
  )
})

test("using it with a store of one's own loads none of them either; a host on SQLite does", {
  timeout: 60_000
}, async () => {
  const alone = await run(`
    import { polar } from "@kavach-polar/http"
    import { layerMemory } from "@kavach-polar/core/BillingStore"
    const billing = polar({ accessToken: "polar_oat_x", webhookSecret: "whsec_SW52ZW50ZWRJbnZlbnRlZA==", store: layerMemory })
    console.log(await billing.getSubscription("usr_1042"))
    await billing.dispose()`)
  expect(alone.printed.trim()).toBe("null")
  expect(alone.loaded.filter((url) => heavy.test(url))).toEqual([])
  // Nor the pages of the console, but the check of its options.
  expect(alone.loaded.filter((url) => url.includes("/http/src/console/") && !url.includes("ConsoleOptions"))).toEqual(
    []
  )
  const hosted = await run(`
    import { createKavach, polar } from "@kavach-polar/http"
    const kavach = await createKavach({
      database: { provider: "sqlite", url: ":memory:" },
      plugins: [polar({ accessToken: "polar_oat_x", webhookSecret: "whsec_SW52ZW50ZWRJbnZlbnRlZA==", products: ["a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60"] })]
    })
    console.log(await kavach.plugins.polar.getSubscription("usr_1042"))
    await kavach.close()`)
  expect(hosted.printed.trim()).toBe("null")
  expect(hosted.loaded.some((url) => url.includes("/adapter-sqlite/"))).toBe(true)
  expect(hosted.loaded.some((url) => url.includes("/better-sqlite3/"))).toBe(true)
})
