/**
 * What every mount of billing's routes has to do, whatever framework is around it: driven by a real HTTP client against a
 * process of its own. The routes come from the table, so a new one is driven too.
 */
import { join } from "node:path"
import { signedHeaders } from "@kavach-polar/core/WebhookVerifier"
import { Seed, type Served, serve } from "@kavach-polar/simulator"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { fixture } from "../../packages/core/test/deliveries.ts"
import { browserRoutes, prefix, type RouteEntry } from "../../packages/http/src/routes/routeTable.ts"
import { declared, expectAsDeclared } from "../../packages/http/test/declared.ts"
import { type AppCommand, type MountedApp, startApp, webhookSecret } from "./MountedApp.ts"
import { abortedRequest, rawRequest } from "./rawRequest.ts"

export interface Mount {
  readonly command: () => AppCommand
  /** For the database. */
  readonly folder: () => string
  /** What the framework answers by itself, before billing is asked. */
  readonly byItself?: {
    /** A method that it was not told of, and OPTIONS, with an empty body. */
    readonly wrongMethod?: boolean
    /** A redirect to the path without its trailing slash. */
    readonly trailingSlash?: boolean
  }
  /** What parses JSON before it comes to billing; it refuses what is none by itself. */
  readonly parser?: "keeps the bytes" | "loses the bytes"
}

const routes: ReadonlyArray<RouteEntry> = Object.values(browserRoutes)
const paths = [...new Set(routes.map(({ path }) => path))]
const concrete = (path: string) => `${prefix}${path.replace(":id", "0b1c2d3e-4f50-4617-8293-a4b5c6d7e8f9")}`
const mebibyte = 1024 * 1024

let deliveries = 0

const signed = (body: Uint8Array, id = `evt_mount_${process.pid}_${deliveries++}`): Record<string, string> => ({
  "content-type": "application/json",
  ...signedHeaders({ secret: webhookSecret, id, timestampSeconds: Math.floor(Date.now() / 1000), body })
})

const lines = (headers: Readonly<Record<string, string>>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")

const padded = (bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> => {
  const body = new Uint8Array(size).fill(0x20)
  body.set(bytes)
  return body
}

export const conformance = (name: string, mount: Mount): void => {
  describe(name, { timeout: 60_000 }, () => {
    const losesBytes = mount.parser === "loses the bytes"
    let simulator: Served
    let app: MountedApp

    const start = () =>
      startApp(mount.command(), {
        POLAR_ACCESS_TOKEN: simulator.accessToken,
        POLAR_API_URL: simulator.url,
        POLAR_WEBHOOK_SECRET: webhookSecret,
        BILLING_DATABASE: join(mount.folder(), `${name.replaceAll(/\W/g, "")}.sqlite`)
      })

    beforeAll(async () => {
      simulator = await serve()
      app = await start()
    }, 120_000)

    afterAll(async () => {
      await app?.kill()
      await simulator?.close()
    })

    const ask = (method: string, path: string, { user, ...init }: RequestInit & { readonly user?: string } = {}) =>
      fetch(`${app.url}${path}`, {
        redirect: "manual",
        ...init,
        method,
        headers: { ...(user === undefined ? {} : { cookie: `session=${user}` }), ...(init.headers as object) }
      })

    const post = (path: string, body: object, headers: Record<string, string> = {}, user = "ada") =>
      ask("POST", path, {
        user,
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body)
      })

    const deliver = (body: Uint8Array, headers = signed(body)) =>
      ask("POST", `${prefix}/webhook`, { body: new Uint8Array(body), headers })

    /** An error of billing's: flat, JSON, and with nothing of the inside. */
    const expectError = async (response: Response, status: number, error: unknown) => {
      expect(response.headers.get("content-type")).toMatch(/^application\/json/)
      expect([response.status, await response.json()]).toEqual([status, { error }])
    }

    // What a parser before it has no part in is not driven again behind one.
    const isBehindParser = mount.parser !== undefined

    describe("every route", () => {
      test.each(routes)("$method $path asks who is signed in, and answers as it is described", async (route) => {
        const path = concrete(route.path)
        const described = `${route.method} ${prefix}${route.path}`
        const nobody = route.method === "GET" ? await ask("GET", path) : await post(path, {}, { cookie: "" })
        await expectError(nobody, 401, "Authentication required")
        const answer =
          route.method === "GET" ? await ask("GET", path, { user: "lin" }) : await post(path, {}, {}, "lin")
        if (answer.status === 303) expect(declared.get(described)?.has(303)).toBe(true)
        else await expectAsDeclared(described, answer)
      })

      test.each(routes.filter(({ method }) => method === "GET"))(
        "HEAD $path is GET without a body",
        async ({ path }) => {
          for (const user of ["", "lin"]) {
            const [get, head] = [
              await ask("GET", concrete(path), { user }),
              await ask("HEAD", concrete(path), { user })
            ]
            expect(head.status).toBe(get.status)
            expect(head.headers.get("content-type")).toBe(get.headers.get("content-type"))
            expect(await head.text()).toBe("")
          }
        }
      )

      test.each(isBehindParser ? [] : [...paths, "/webhook"])(
        "%s refuses other methods, and says which it takes",
        async (path) => {
          const own =
            path === "/webhook" ? ["POST"] : routes.filter((route) => route.path === path).map(({ method }) => method)
          const allowed = [...own, ...(own.includes("GET") ? ["HEAD"] : []), "OPTIONS"]
          const options = await ask("OPTIONS", concrete(path))
          expect([200, 204]).toContain(options.status)
          expect(await options.text()).toBe("")
          for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((one) => !allowed.includes(one))) {
            const refused = await ask(method, concrete(path), { user: "lin" })
            if (mount.byItself?.wrongMethod === true && !["GET", "POST"].includes(method)) {
              expect(refused.status).toBe(405)
              continue
            }
            expect(refused.headers.get("allow")).toBe(allowed.join(", "))
            await expectError(refused, 405, "Method not allowed")
          }
          if (mount.byItself?.wrongMethod !== true) expect(options.headers.get("allow")).toBe(allowed.join(", "))
          // No page of another origin is let in by it.
          expect(options.headers.get("access-control-allow-origin")).toBeNull()
        }
      )

      test.each(isBehindParser ? [] : routes)("$method $path with a slash at its end", async ({ method, path }) => {
        const answer = await ask(method, `${concrete(path)}/`, {
          ...(method === "POST" ? { body: "{}", headers: { "content-type": "application/json" } } : {})
        })
        if (mount.byItself?.trailingSlash === true) {
          expect(answer.status).toBe(308)
          expect(new URL(answer.headers.get("location") ?? "", app.url).pathname).toBe(concrete(path))
        } else await expectError(answer, 401, "Authentication required")
      })

      test("what is no route is 404, and says so as everything else", async () => {
        for (const path of [
          `${prefix}/nothing`,
          `${prefix}/webhook/more`,
          `${prefix}/Subscription`,
          `${prefix}/%77ebhook`
        ]) {
          await expectError(await ask("GET", path, { user: "ada" }), 404, "Not found")
        }
      })
    })

    describe("a page of another site", () => {
      test.each(routes.filter(({ method }) => method === "POST"))("cannot post to $path", async ({ path }) => {
        const evil = { origin: "https://evil.example", "sec-fetch-site": "cross-site" }
        await expectError(await post(concrete(path), {}, evil), 403, expect.stringContaining("another origin"))
        const form = await ask("POST", concrete(path), {
          user: "ada",
          headers: { "content-type": "application/x-www-form-urlencoded", origin: app.url },
          body: "productId=1"
        })
        await expectError(form, 415, "The content type must be application/json")
        // The app's own page may: what is said then is about the body.
        const own = await post(concrete(path), {}, { origin: app.url, "sec-fetch-site": "same-origin" })
        expect([403, 415]).not.toContain(own.status)
      })
    })

    describe("bytes", () => {
      const active = fixture("subscription.active")

      test("a delivery is verified by its bytes, and a changed one is refused", async () => {
        const changed = new TextEncoder().encode(new TextDecoder().decode(active).replace('"active"', '"paused"'))
        if (losesBytes) {
          return expectError(await deliver(active), 400, expect.stringMatching(/was parsed before .* request\.rawBody/))
        }
        expect([(await deliver(active)).status, (await deliver(changed, signed(active))).status]).toEqual([200, 403])
      })

      // What is no event is refused only when its signature was found to be right, which takes each of its bytes.
      const noEvent = /^HTTP\/1\.1 400 [\s\S]*The delivery is authentic, but not an event of Polar/
      const bytes: ReadonlyArray<[string, Uint8Array, RegExp]> = [
        ["a BOM", Buffer.concat([Uint8Array.of(0xef, 0xbb, 0xbf), active]), noEvent],
        ["invalid UTF-8", Uint8Array.of(0x7b, 0x22, 0xff, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d), noEvent],
        ["zeros and line breaks", Uint8Array.of(0x00, 0x0d, 0x0a, 0x00), noEvent],
        ["1 MiB", padded(active, mebibyte), /^HTTP\/1\.1 200 [\s\S]*{"received":true}/]
      ]
      const arriving = !isBehindParser ? bytes : bytes.filter(([, , expected]) => expected !== noEvent)
      test.skipIf(losesBytes).each(arriving)("%s arrives as it was sent", async (_, body, expected) => {
        const whole = await rawRequest(app.url, [
          `POST ${prefix}/webhook HTTP/1.1\r\nhost: ${new URL(app.url).host}\r\nconnection: close\r\n`,
          `${lines(signed(body))}content-length: ${body.length}\r\n\r\n`,
          body
        ])
        const chunks = Array.from({ length: 4 }, (_, index) =>
          body.subarray(Math.floor((index * body.length) / 4), Math.floor(((index + 1) * body.length) / 4))
        )
        const chunked = await rawRequest(app.url, [
          `POST ${prefix}/webhook HTTP/1.1\r\nhost: ${new URL(app.url).host}\r\nconnection: close\r\n`,
          `${lines(signed(body))}transfer-encoding: chunked\r\n\r\n`,
          ...chunks.flatMap((chunk) => (chunk.length === 0 ? [] : [`${chunk.length.toString(16)}\r\n`, chunk, "\r\n"])),
          "0\r\n\r\n"
        ])
        for (const answer of [whole, chunked]) expect(answer).toMatch(expected)
        // One byte less, and it does not verify.
        expect((await deliver(body.subarray(0, -1), signed(body))).status).toBe(403)
      })

      test.skipIf(losesBytes)("a byte more than 1 MiB is 413, and so is much more", async () => {
        for (const size of [mebibyte + 1, 3 * mebibyte]) {
          const body = padded(active, size)
          await expectError(await deliver(body), 413, `Request body is larger than ${mebibyte} bytes`)
          expect((await deliver(active)).status).toBe(200)
        }
      })

      test.skipIf(isBehindParser)("one that does not say how large it is is 413 too", async () => {
        const chunk = new Uint8Array(64 * 1024).fill(0x20)
        const answer = await rawRequest(app.url, [
          `POST ${prefix}/webhook HTTP/1.1\r\nhost: ${new URL(app.url).host}\r\n`,
          `${lines(signed(chunk))}transfer-encoding: chunked\r\n\r\n`,
          ...Array.from({ length: 17 }).flatMap(() => [`${chunk.length.toString(16)}\r\n`, chunk, "\r\n"])
        ])
        expect(answer).toMatch(/^HTTP\/1\.1 413 /)
        expect(answer).toContain(`{"error":"Request body is larger than ${mebibyte} bytes"}`)
      })

      test("a request of a page may have 16 KiB", async () => {
        const answer = await post(`${prefix}/checkout`, { productId: "x".repeat(17 * 1024) })
        await expectError(answer, 413, "Request body is larger than 16384 bytes")
      })
    })

    test("the session is that of the cookie, among others", async () => {
      const cookies = 'a=1; theme="dark; x"; session=lin; session_old=ada; b=%22'
      const answer = await ask("GET", `${prefix}/subscription`, { headers: { cookie: cookies } })
      expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-store"])
      expect(await answer.json()).toEqual({ subscription: null })
      await expectError(
        await ask("GET", `${prefix}/subscription`, { headers: { cookie: "a=1" } }),
        401,
        expect.anything()
      )
    })

    describe("a request that is aborted", () => {
      const pieces: ReadonlyArray<[string, () => ReadonlyArray<string>]> = [
        ["in its headers", () => [`POST ${prefix}/webhook HTTP/1.1\r\nhost: a\r\nwebhook-id`]],
        [
          "in its body",
          () => [
            `POST ${prefix}/webhook HTTP/1.1\r\nhost: a\r\n${lines(signed(fixture("subscription.active")))}`,
            "content-length: 5000\r\n\r\n{"
          ]
        ],
        [
          "in a page's body",
          () => [
            `POST ${prefix}/checkout HTTP/1.1\r\nhost: a\r\ncookie: session=ada\r\ncontent-type: application/json\r\n`,
            "content-length: 50\r\n\r\n{"
          ]
        ],
        ["before its answer", () => [`GET ${prefix}/subscription HTTP/1.1\r\nhost: a\r\ncookie: session=ada\r\n\r\n`]]
      ]
      test.skipIf(isBehindParser).each(pieces)("%s: the app goes on", async (_, made) => {
        const before = app.said()
        for (const afterMillis of [0, 5, 50]) {
          await Promise.all(Array.from({ length: 5 }, () => abortedRequest(app.url, made(), afterMillis)))
        }
        expect((await ask("GET", `${prefix}/subscription`, { user: "lin" })).status).toBe(200)
        expect(app.isRunning()).toBe(true)
        expect(app.said().slice(before.length)).not.toMatch(/unhandled|uncaught|TypeError|ERR_/i)
      })
    })

    test.skipIf(losesBytes)(
      "a user buys by the routes; a process that is killed and started again knows it, and takes no delivery twice",
      async () => {
        await simulator.addEndpoint({ url: `${app.url}${prefix}/webhook`, secret: webhookSecret })
        const own = { origin: app.url, "sec-fetch-site": "same-origin" }
        const product = Seed.products.pro.id
        const asked = await post(`${prefix}/checkout`, { productId: product, successUrl: "/thanks" }, own)
        const { id } = (await asked.json()) as { readonly id: string }
        expect(asked.status).toBe(200)
        await simulator.pay(id, { customer_email: "ada@example.com" })
        await simulator.flush()
        const completed = await ask("GET", `${prefix}/checkout/${id}`, { user: "ada" })
        expect([completed.status, await completed.json()]).toEqual([
          200,
          expect.objectContaining({ status: "succeeded", access: expect.objectContaining({ entitlement: "granted" }) })
        ])
        const bought = await (await ask("GET", `${prefix}/subscription`, { user: "ada" })).json()
        expect(bought).toEqual({ subscription: expect.objectContaining({ status: "active", productId: product }) })
        expect(await (await ask("GET", `${prefix}/subscription`, { user: "lin" })).json()).toEqual({
          subscription: null
        })
        // Another user's checkout is nobody's business.
        expect((await ask("GET", `${prefix}/checkout/${id}`, { user: "lin" })).status).toBe(404)
        const portal = await ask("GET", `${prefix}/portal?returnUrl=/account`, { user: "ada" })
        expect([portal.status, portal.headers.get("cache-control")]).toEqual([303, "no-store"])
        expect(portal.headers.get("location")).toMatch(new RegExp(`^${simulator.url}/`))

        const body = fixture("subscription.active")
        const headers = signed(body)
        expect((await deliver(body, headers)).status).toBe(200)
        await app.kill()
        app = await start()
        expect(await (await ask("GET", `${prefix}/subscription`, { user: "ada" })).json()).toEqual(bought)
        const again = await deliver(body, headers)
        expect([again.status, await again.json()]).toEqual([200, { received: true }])
      }
    )
  })
}
