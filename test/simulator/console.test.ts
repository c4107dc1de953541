/** Billing's console, as a client of HTTP sees it: who may see it, what it shows, and what is kept of what is done there. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import type { ConsoleOptions, PolarConfig } from "@kavach-polar/http"
import Database from "better-sqlite3"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { email, pro, type Scene, userId, withScene } from "./BillingScene.ts"

const base = "https://app.example.com/internal/billing"

const lin: ConsoleOptions = { authorize: () => ({ who: "Lin", may: "act" }) }
const reader: ConsoleOptions = { authorize: () => ({ who: "Rea", may: "read" }) }

let folder = ""
let filename = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  filename = join(folder, "app.db")
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const withApp = (use: (scene: Scene) => Promise<void>, config: Partial<PolarConfig> = {}) =>
  withScene({}, { store: SqliteStore.layer({ filename }), refreshWhenDenied: false, ...config }, async (scene) => {
    await scene.billing.start()
    await use(scene)
  })

interface Answer {
  readonly status: number
  readonly location: string | null
  readonly text: string
}

const ask = async (
  { billing }: Scene,
  query: string,
  options: ConsoleOptions = lin,
  init: RequestInit = {}
): Promise<Answer> => {
  const response = await billing.console(new Request(`${base}${query}`, init), options)
  expect(response.headers.get("cache-control")).toBe("no-store")
  expect(response.headers.get("content-security-policy")).toMatch(/^default-src 'none'; .*frame-ancestors 'none'$/)
  expect(response.headers.get("content-security-policy")).not.toMatch(/unsafe|'self' 'nonce|script-src 'self'/)
  expect(response.headers.get("x-content-type-options")).toBe("nosniff")
  expect(response.headers.get("referrer-policy")).toBe("same-origin")
  const text = await response.text()
  // The one script that the policy of this answer names, or none.
  const nonce = /script-src 'nonce-([\w-]{22})'/.exec(response.headers.get("content-security-policy") ?? "")?.[1]
  expect(Array.from(text.matchAll(/<script.*?<\/script>/gs), ([script]) => script)).toEqual(
    nonce === undefined
      ? []
      : [expect.stringMatching(`^<script src="\\?page=live\\.js&amp;v=[0-9a-f]{12}" nonce="${nonce}" defer></script>$`)]
  )
  expect(text).not.toMatch(/<[a-z][^>]* on[a-z]+=|javascript:| style=/i)
  // Relative links only, so that any mount works.
  for (const [, target] of text.matchAll(/(?:href|action)="([^"]*)"/g)) expect(target).toMatch(/^[?#]/)
  return { status: response.status, location: response.headers.get("location"), text }
}

const post = (
  scene: Scene,
  query: string,
  fields: Readonly<Record<string, string>>,
  options: ConsoleOptions = lin,
  headers: Readonly<Record<string, string>> = {}
) => ask(scene, query, options, { method: "POST", body: new URLSearchParams(fields), headers })

const tokenIn = (page: Answer): string => /name="token" value="([^"]+)"/.exec(page.text)?.[1] ?? ""

const actions = (): ReadonlyArray<Readonly<Record<string, unknown>>> => {
  const database = new Database(filename, { readonly: true })
  try {
    return database.prepare("SELECT * FROM kavach_polar_actions ORDER BY at, id").all() as ReadonlyArray<
      Readonly<Record<string, unknown>>
    >
  } finally {
    database.close()
  }
}

/** Confirms an action as a person does: opens its page, and sends the form. */
const act = async (scene: Scene, fields: Readonly<Record<string, string>>, options: ConsoleOptions = lin) => {
  const page = await ask(scene, `?${new URLSearchParams({ page: "confirm", ...fields })}`, options)
  expect(page.status, page.text).toBe(200)
  const done = await post(scene, "?page=act", { ...fields, token: tokenIn(page) }, options)
  expect(done.status, done.text).toBe(303)
  return ask(scene, done.location ?? "", options)
}

describe("who may see it", () => {
  test("nobody without authorize, but a developer at the machine, who may act on nothing", async () => {
    await withApp(async (scene) => {
      const { billing } = scene
      const outside = [
        new Request(base),
        new Request("http://192.168.1.7:3000/billing"),
        new Request("http://localhost.example.com/billing"),
        new Request("http://localhost/billing", { headers: { "x-forwarded-for": "203.0.113.7" } }),
        new Request("http://localhost/billing", { headers: { forwarded: "for=203.0.113.7" } })
      ]
      for (const request of outside) {
        await expect(billing.console(request, {}), request.url).rejects.toThrow(/console\(\): authorize: it is missing/)
      }
      for (const url of ["http://localhost:3000/x", "http://127.0.0.1/", "http://[::1]:8080/a/b"]) {
        const response = await billing.console(new Request(url), {})
        expect(response.status).toBe(200)
        expect(await response.text()).toContain("may read")
      }
      const confirm = await billing.console(new Request("http://localhost/?page=confirm&do=delivery.replay&id=x"), {})
      expect(confirm.status).toBe(403)
      const before = process.env["NODE_ENV"]
      process.env["NODE_ENV"] = "production"
      try {
        await expect(billing.console(new Request("http://localhost/"), {})).rejects.toThrow("authorize")
      } finally {
        process.env["NODE_ENV"] = before
      }
    })
  })

  test("whom authorize refuses sees nothing of any page; an answer that is none lets nobody in", async () => {
    await withApp(async (scene) => {
      await scene.buy()
      const pages = [
        "",
        "?page=deliveries",
        "?page=notifications",
        "?page=jobs",
        "?page=live.js",
        "?page=people",
        `?page=person&id=${userId}`
      ].concat(["?page=audit", "?page=settings&check=1", "?page=confirm&do=user.reconcile&user=ada", "?page=x"])
      for (const page of pages) {
        for (const answer of [false, null, undefined] as const) {
          const { status, text } = await ask(scene, page, { authorize: () => answer })
          expect([status, text.includes("ada"), text.includes("Deliveries")], page).toEqual([403, false, false])
        }
      }
      for (const answer of [true, {}, { who: "", may: "act" }, { who: "Lin", may: "everything" }]) {
        const { status, text } = await ask(scene, "", { authorize: () => answer as never })
        expect([status, text.includes("Deliveries")]).toEqual([500, false])
      }
      const thrown = await ask(scene, "", {
        authorize: () => {
          throw new Error("the session store at db.internal is down")
        }
      })
      expect([thrown.status, thrown.text.includes("db.internal")]).toEqual([500, false])
      await expect(scene.billing.console(new Request(base), { authorise: 1 } as never)).rejects.toThrow("authorise")
    })
  })

  test("is asked for each action by its name, and who may only read is offered none", async () => {
    await withApp(async (scene) => {
      await scene.buy()
      const asked: Array<string> = []
      const picky: ConsoleOptions = {
        authorize: async (_request, action) => {
          asked.push(action)
          return { who: "Lin", may: action === "customer.move" ? "read" : "act" }
        }
      }
      const { id } = await scene.customer()
      expect((await ask(scene, `?page=confirm&do=customer.move&id=${id}&user=eve`, picky)).status).toBe(403)
      expect(asked).toEqual(["read", "customer.move"])
      const page = await ask(scene, "?page=people", picky)
      const refused = await post(
        scene,
        "?page=act",
        { do: "customer.move", id, user: "eve", token: tokenIn(page) },
        picky
      )
      expect(refused.status).toBe(403)

      const person = await ask(scene, `?page=person&id=${userId}`, reader)
      expect(person.text).not.toMatch(/confirm/)
      expect((await ask(scene, `?page=confirm&do=user.reconcile&user=${userId}`, reader)).status).toBe(403)
      expect(
        (await post(scene, "?page=act", { do: "user.reconcile", user: userId, token: tokenIn(person) }, reader)).status
      ).toBe(403)
      expect(actions()).toEqual([])
    })
  })
})

describe("a form of another site's", () => {
  test("does nothing: without a token, with another viewer's, an old or a changed one, or sent from elsewhere", async () => {
    await withApp(async (scene) => {
      await scene.buy()
      const { id } = await scene.customer()
      const fields = { do: "customer.move", id, user: "eve" }
      const query = `?${new URLSearchParams({ page: "confirm", ...fields })}`
      const token = tokenIn(await ask(scene, query))
      expect(token).toMatch(/^\d+\.[\w-]{43}$/)
      const others = tokenIn(await ask(scene, query, { authorize: () => ({ who: "Max", may: "act" }) }))
      const [expiresAt = "", mac = ""] = token.split(".")
      const wrong = [
        "",
        "x",
        others,
        `${Number(expiresAt) + 1}.${mac}`,
        `0.${mac}`,
        `${expiresAt}.`,
        `${expiresAt}.${"A".repeat(43)}`
      ]
      for (const one of wrong) {
        const { status, text } = await post(scene, "?page=act", { ...fields, token: one })
        expect([status, text.includes("Nothing was done")], one).toEqual([403, true])
      }
      for (const site of ["cross-site", "same-site", "none"]) {
        const { status } = await post(scene, "?page=act", { ...fields, token }, lin, { "sec-fetch-site": site })
        expect(status, site).toBe(403)
      }
      const json = await ask(scene, "?page=act", lin, {
        method: "POST",
        body: JSON.stringify({ ...fields, token }),
        headers: { "content-type": "application/json" }
      })
      expect(json.status).toBe(400)
      const huge = await post(scene, "?page=act", { ...fields, token, more: "x".repeat(20_000) })
      expect(huge.status).toBe(400)
      // Nor does a link.
      expect((await ask(scene, `?${new URLSearchParams({ page: "act", ...fields, token })}`)).status).toBe(404)
      expect((await ask(scene, "", lin, { method: "DELETE" })).status).toBe(405)
      expect(actions()).toEqual([])
      expect((await scene.billing.customers.of(userId)).customers).toHaveLength(1)

      const done = await post(scene, "?page=act", { ...fields, token }, lin, { "sec-fetch-site": "same-origin" })
      expect(done.status).toBe(303)
      expect((await scene.billing.customers.of("eve")).customers).toHaveLength(1)
    })
  })
})

describe("what is done", () => {
  test("is kept with who did it and what came of it, also where it failed", async () => {
    await withApp(async (scene) => {
      await scene.buy()
      const { id } = await scene.customer()
      const moved = await act(scene, { do: "customer.move", id, user: "eve" })
      expect(moved.text).toContain("customer.move: done: It belonged to user &quot;ada&quot;; ")
      expect((await scene.billing.customers.of("eve")).changes).toMatchObject([{ action: "move", by: "Lin" }])

      await scene.simulator.setChaos({ drops: 1 })
      await act(scene, { do: "user.reconcile", user: "eve" })
      // Whose customer it is has changed while the form was open: what was right then is refused now.
      const stranger = "6b1f3c52-8f0a-4a5e-8d1b-7c9e2f4a1042"
      const token = tokenIn(await ask(scene, "?page=people"))
      const failed = await post(scene, "?page=act", { do: "customer.unlink", id: stranger, token })
      expect((await ask(scene, failed.location ?? "")).text).toContain(`failed: Nothing is known of ${stranger}`)
      const unnamed = await post(scene, "?page=act", { do: "customer.link", id: "no id", user: userId, token })
      expect(unnamed.status).toBe(303)

      expect(actions()).toMatchObject([
        { who: "Lin", action: "customer.move", subject: id, detail: JSON.stringify({ id, user: "eve" }) },
        {
          who: "Lin",
          action: "user.reconcile",
          subject: "eve",
          result: expect.stringMatching(/^done: \d+ records were compared/)
        },
        { who: "Lin", action: "customer.unlink", subject: stranger, result: expect.stringMatching(/^failed: /) },
        {
          who: "Lin",
          action: "customer.link",
          subject: "no id",
          result: "failed: This is no id of Polar's, which is a UUID."
        }
      ])
      const audit = await ask(scene, "?page=audit", reader)
      for (const { action } of actions()) expect(audit.text).toContain(String(action))
      // And shown where the person is looked at.
      const history = await scene.billing.customers.timeline("eve")
      expect(history).toMatchObject({
        found: "one",
        actions: expect.arrayContaining([expect.objectContaining({ who: "Lin" })])
      })
    })
  })

  test("a confirmation says what would come of it, and changes nothing", async () => {
    await withApp(async (scene) => {
      await scene.buy()
      const { id } = await scene.customer()
      const page = await ask(scene, `?page=confirm&do=customer.move&id=${id}&user=eve`)
      expect(page.text).toMatch(/It belongs to user &quot;ada&quot;; \d+ of its records go along/)
      const [delivery] = new Database(filename, { readonly: true })
        .prepare("SELECT id FROM kavach_polar_deliveries")
        .pluck()
        .all()
      const replay = await ask(scene, `?page=confirm&do=delivery.replay&id=${delivery}`)
      expect(replay.text).toContain("It would be in the same state as now.")
      const unknown = await ask(scene, "?page=confirm&do=customer.unlink&id=6b1f3c52-8f0a-4a5e-8d1b-7c9e2f4a1042")
      expect([unknown.status, unknown.text.includes("Yes, do it")]).toEqual([422, false])
      expect((await ask(scene, "?page=confirm&do=nonsense&id=1")).status).toBe(404)
      expect((await ask(scene, "?page=confirm&do=constructor&id=1")).status).toBe(404)
      expect((await scene.billing.customers.of(userId)).customers).toHaveLength(1)
      expect(actions()).toEqual([])
      const replayed = await act(scene, { do: "delivery.replay", id: String(delivery) })
      expect(replayed.text).toContain("delivery.replay: done: it is ")
    })
  })
})

describe("the pages", () => {
  test("show what is there, escaped, with personal data folded, and no address in a link", async () => {
    await withApp(async (scene) => {
      await scene.buy()
      await scene.billing.settled()
      const overview = await ask(scene, "")
      expect(overview.text).toContain("Nothing waits for anybody")
      expect(overview.text).toMatch(/aria-label="Deliveries received per hour: \d+ were dealt with and 0 failed/)
      const list = await ask(scene, "?page=deliveries&type=subscription.active")
      const id = /page=delivery&amp;id=([^"]+)/.exec(list.text)?.[1] ?? ""
      expect(list.text).not.toContain("order.paid</code>")
      expect((await ask(scene, `?page=deliveries&user=${userId}&state=applied`)).text).toContain("order.paid")
      expect((await ask(scene, "?page=deliveries&user=nobody")).text).toContain("There is no such delivery.")
      const delivery = await ask(scene, `?page=delivery&id=${id}`)
      const [folded = "", whole = ""] = delivery.text.split("<details>")
      expect(folded).not.toContain(email)
      expect(folded).toContain("(folded)")
      expect(whole).toContain(email)
      expect((await ask(scene, "?page=delivery&id=nothing")).status).toBe(404)

      const form = tokenIn(await ask(scene, "?page=people"))
      const found = await post(scene, "?page=people", { query: email, token: form })
      expect([found.status, found.location]).toEqual([303, `?page=person&id=${userId}`])
      const person = await ask(scene, found.location ?? "")
      expect(person.text).toContain("User ada has access by a subscription.")
      for (const [, target] of person.text.matchAll(/href="([^"]*)"/g)) expect(target).not.toContain("@")
      const same = await ask(scene, `?page=person&id=${userId}&polar=1`)
      expect(same.text).toContain("Polar has the same as is stored here")
      const nobody = await post(scene, "?page=people", { query: "<b>eve</b>@example.test", token: form })
      expect([nobody.status, nobody.text.includes("<b>")]).toEqual([404, false])
      expect(nobody.text).toContain("&lt;b&gt;eve&lt;/b&gt;@example.test")

      expect((await ask(scene, "?page=settings")).text).toContain("Run all checks")
      expect((await ask(scene, "?page=settings&check=1")).text).toMatch(/The access token/)
      for (const page of ["nowhere", "constructor", "__proto__"])
        expect((await ask(scene, `?page=${page}`)).status).toBe(404)
      const head = await scene.billing.console(new Request(base, { method: "HEAD" }), lin)
      expect([head.status, await head.text()]).toEqual([200, ""])
    })
  })

  test("what was given up is retried from the page that lists it", async () => {
    let isDown = true
    await withApp(
      async (scene) => {
        await scene.buy()
        await scene.billing.settled()
        expect((await ask(scene, "")).text).toContain("did not take")
        const page = await ask(scene, "?page=notifications")
        expect(page.text).toContain("the mail server is down")
        const id = decodeURIComponent(/do=notification\.retry&amp;id=([^"]+)/.exec(page.text)?.[1] ?? "")
        isDown = false
        const done = await act(scene, { do: "notification.retry", id })
        expect(done.text).toContain("notification.retry: done: it is queued.")
        await scene.billing.settled()
        expect((await ask(scene, "?page=notifications")).text).toContain("Nothing was given up.")
      },
      {
        callback: { attempts: 1 },
        onSubscriptionChange: () => {
          if (isDown) throw new Error("the mail server is down")
        }
      }
    )
  })

  test("what fails is put aside from there, kept in the trail, and told no more; a later change is", async () => {
    const told: Array<string> = []
    let isDown = true
    await withApp(
      async (scene) => {
        await scene.buy()
        await scene.billing.settled()
        const page = await ask(scene, "?page=notifications")
        expect((await ask(scene, "?page=notifications", reader)).text).not.toContain("Put it aside")
        const id = decodeURIComponent(/do=notification\.bury&amp;id=([^"]+)/.exec(page.text)?.[1] ?? "")
        const confirm = await ask(scene, `?${new URLSearchParams({ page: "confirm", do: "notification.bury", id })}`)
        expect(confirm.text).toContain("It cannot be undone.")
        const done = await act(scene, { do: "notification.bury", id })
        expect(done.text).toContain("notification.bury: done: it is put aside.")
        expect(actions()).toMatchObject([
          { who: "Lin", action: "notification.bury", subject: id, result: "done: it is put aside." }
        ])
        const again = await act(scene, { do: "notification.bury", id })
        expect(again.text).toContain("failed: it was not given up")
        expect((await ask(scene, "?page=notifications")).text).toContain("Nothing was given up.")
        expect((await ask(scene, "")).text).toContain("Nothing waits for anybody")
        expect(await scene.billing.customers.timeline(userId)).toMatchObject({
          timeline: expect.arrayContaining([
            expect.objectContaining({
              text: expect.stringMatching(/was put aside by an operator.*the mail server is down/)
            })
          ])
        })
        isDown = false
        expect(await scene.billing.notifications.retry({})).toBe(0)
        await scene.billing.subscriptions.cancel(userId)
        await scene.simulator.flush()
        await scene.billing.settled()
        expect(told).toEqual(["active, ends"])
      },
      {
        callback: { attempts: 1 },
        onSubscriptionChange: (_user, subscription) => {
          if (isDown) throw new Error("the mail server is down")
          told.push(`${subscription.status}${subscription.cancelAtPeriodEnd ? ", ends" : ""}`)
        }
      }
    )
  })

  test("by code notifications are put aside in the name of somebody, for the trail", async () => {
    await withApp(
      async (scene) => {
        await scene.buy()
        await scene.billing.settled()
        const [dead] = await scene.billing.notifications.dead()
        const id = dead?.id ?? ""
        expect(await scene.billing.notifications.bury({ ids: [id, "unknown"], by: "the night job" })).toBe(1)
        expect(await scene.billing.notifications.bury({ ids: [id], by: "the night job" })).toBe(0)
        expect(await scene.billing.notifications.bury({ ids: [id] })).toBe(0)
        expect(actions()).toMatchObject([
          {
            who: "the night job",
            action: "notification.bury",
            subject: null,
            detail: JSON.stringify({ ids: [id, "unknown"] }),
            result: "done: 1 of 2 were put aside."
          },
          { who: "the night job", action: "notification.bury", subject: id, result: "done: 0 of 1 were put aside." }
        ])
      },
      {
        callback: { attempts: 1 },
        onSubscriptionChange: () => {
          throw new Error("the mail server is down")
        }
      }
    )
  })

  test("jobs: what runs and how far it is, what was left, and how the last ones ended", async () => {
    await withApp(async (scene) => {
      await scene.buy()
      await scene.billing.settled()
      expect((await ask(scene, "?page=jobs")).text).toContain("Nothing is under way.")
      await scene.billing.reconcileAll()
      const done = (await ask(scene, "?page=jobs", reader)).text
      expect(done).toMatch(/Comparison with Polar<\/td>.*?done.*?\d+ were compared, and \d+ set right\./s)
      expect(done).not.toContain("handlers")
      // Polar is away: the erasure waits.
      const away = vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("fetch failed"))
      try {
        await scene.billing.privacy.erase(userId, { polar: "anonymize" })
      } finally {
        away.mockRestore()
      }
      const waits = (await ask(scene, "?page=jobs")).text
      expect(waits).toMatch(/Erasure <code>.*?waiting.*?It was tried once; that failed: /s)
      expect(waits).not.toContain(userId)
      const database = new Database(filename)
      const position = database.prepare("SELECT report FROM kavach_polar_jobs WHERE name = 'reconcile'").pluck().get()
      expect(position).toBeTypeOf("string")
      database
        .prepare(
          "UPDATE kavach_polar_jobs SET owner = 'process-1', lease_until = ?, position = ? WHERE name = 'reconcile'"
        )
        .run(
          new Date(Date.now() + 60_000).toISOString(),
          JSON.stringify({
            phase: "polar",
            kind: "order",
            page: 7,
            afterId: null,
            since: null,
            counts: { ...JSON.parse(String(position)), compared: 612, discrepancyCount: 3 }
          })
        )
      const runs = (await ask(scene, "?page=jobs")).text
      expect(runs).toMatch(
        /Comparison with Polar<\/td>.*?running.*?process-.*?It is at page 7 of Polar&#39;s orders; 612 were compared, 3 set right\./s
      )
      database
        .prepare("UPDATE kavach_polar_jobs SET lease_until = '2026-11-24T10:00:00.000Z' WHERE name = 'reconcile'")
        .run()
      database.close()
      expect((await ask(scene, "?page=jobs")).text).toMatch(/Comparison with Polar<\/td>.*?lapsed.*?has died or hangs/s)
    })
  })

  test("the script is there for whoever may see the pages, and says nothing of anybody", async () => {
    await withApp(async (scene) => {
      await scene.buy()
      const nonces = new Set<string>()
      for (const page of ["", "?page=deliveries", "?page=notifications", "?page=jobs", ""]) {
        nonces.add(/nonce="([^"]+)"/.exec((await ask(scene, page)).text)?.[1] ?? "")
      }
      expect([...nonces].filter((nonce) => nonce !== "")).toHaveLength(5)
      const path = (/src="([^"]+)"/.exec((await ask(scene, "")).text)?.[1] ?? "").replaceAll("&amp;", "&")
      const script = await scene.billing.console(new Request(`${base}${path}`), lin)
      expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8")
      expect(script.headers.get("cache-control")).toMatch(/^private, .*immutable$/)
      expect(await script.text()).not.toMatch(/ada|Lin|eval|innerHTML/)
    })
  })

  test("go from the newest to the oldest, each delivery once", async () => {
    await withApp(async (scene) => {
      const { billing } = scene
      for (const buyer of ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]) {
        const { id } = await billing.createCheckout(buyer, pro, { customerEmail: `${buyer}@x.dev` })
        await scene.simulator.pay(id, { customer_email: `${buyer}@x.dev` })
        await scene.simulator.flush()
      }
      const all = new Database(filename, { readonly: true })
        .prepare("SELECT count(*) FROM kavach_polar_deliveries")
        .pluck()
        .get()
      const seen: Array<string> = []
      let query = "?page=deliveries"
      for (let pages = 0; query !== "" && pages < 20; pages++) {
        const { text } = await ask(scene, query)
        seen.push(...Array.from(text.matchAll(/page=delivery&amp;id=([^"]+)/g), ([, id = ""]) => id))
        query = (/href="([^"]*)">Older ones/.exec(text)?.[1] ?? "").replaceAll("&amp;", "&")
      }
      expect(seen.length).toBeGreaterThan(50)
      expect([seen.length, new Set(seen).size]).toEqual([all, all])
    })
  }, 60_000)
})
