/** An app with its server, its database and its file of variables, and an operator with the command line beside it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseEnv } from "node:util"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { type Polar, type PolarConfig, polar } from "@kavach-polar/http"
import * as NodeServer from "@kavach-polar/http/NodeServer"
import { Seed, type Served, type ServeOptions, serve } from "@kavach-polar/simulator"
import { expect } from "vitest"
import { kavachPolar, type Ran } from "./kavachPolar.ts"

export interface Found {
  readonly check: string
  readonly level: string
  readonly what: string
  readonly help: string | null
}

export class OperatedApp {
  readonly simulator: Served
  readonly folder: string
  readonly url: string
  readonly #config: Partial<PolarConfig>
  #server: NodeServer.NodeServer | undefined
  billing: Polar

  constructor(simulator: Served, folder: string, server: NodeServer.NodeServer, config: Partial<PolarConfig>) {
    this.simulator = simulator
    this.folder = folder
    this.#config = config
    this.#server = server
    this.url = `${server.url}/auth/polar/webhook`
    this.set({
      DATABASE_URL: join(folder, "app.db"),
      POLAR_ACCESS_TOKEN: simulator.accessToken,
      POLAR_API_URL: simulator.url,
      POLAR_WEBHOOK_URL: this.url
    })
    this.billing = this.#start()
  }

  /** What the file of variables says. */
  get env(): Readonly<Record<string, string | undefined>> {
    return parseEnv(readFileSync(join(this.folder, ".env"), "utf8"))
  }

  set(variables: Readonly<Record<string, string>>): void {
    let before = {}
    try {
      before = this.env
    } catch {
      // The first time there is none.
    }
    writeFileSync(
      join(this.folder, ".env"),
      Object.entries({ ...before, ...variables })
        .map(([name, value]) => `${name}=${value}\n`)
        .join("")
    )
  }

  #start(): Polar {
    return polar({
      accessToken: this.env["POLAR_ACCESS_TOKEN"],
      apiBaseUrl: this.simulator.url,
      // A deployment that was made before there was an endpoint has a secret of nothing.
      webhookSecret: this.env["POLAR_WEBHOOK_SECRET"] ?? "whsec_bm8gZW5kcG9pbnQgeWV0LCBubyBzZWNyZXQgZWl0aGVy",
      emailVerified: () => true,
      refreshWhenDenied: false,
      logLevel: "none",
      store: SqliteStore.layer({ filename: join(this.folder, "app.db") }),
      ...this.#config
    })
  }

  readonly handle = (request: Request): Promise<Response> => this.billing.webhook(request)

  /** A new process, with what is in the file now. */
  async restart(): Promise<void> {
    await this.billing.dispose()
    this.billing = this.#start()
    await this.billing.start()
  }

  /** The operator types it where the app is. */
  run(line: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    return kavachPolar(line.split(" "), { env, folder: this.folder })
  }

  async doctor(): Promise<{ readonly status: string; readonly wrong: ReadonlyArray<Found> }> {
    const { exitCode, out } = await this.run("doctor --json")
    const { findings, status } = JSON.parse(out) as {
      readonly status: string
      readonly findings: ReadonlyArray<Found>
    }
    expect(exitCode).toBe({ fine: 0, broken: 1, warning: 3 }[status])
    for (const secret of [this.env["POLAR_ACCESS_TOKEN"], ...(this.env["POLAR_WEBHOOK_SECRET"] ?? "").split(",")]) {
      if (secret !== undefined && secret !== "") expect(out).not.toContain(secret)
    }
    return { status, wrong: findings.filter(({ level }) => level !== "fine") }
  }

  async isGreen(): Promise<void> {
    expect(await this.doctor()).toEqual({ status: "fine", wrong: [] })
  }

  async buy(user: string, product: string = Seed.products.pro.id): Promise<void> {
    const email = `${user}@acme-mail.dev`
    const { id } = await this.billing.createCheckout(user, product, { customerEmail: email })
    await this.simulator.pay(id, { customer_email: email })
    await this.simulator.flush()
  }

  async hasAccess(user: string): Promise<boolean> {
    return (await this.billing.access(user)).entitlement === "granted"
  }

  async api(method: string, path: string, body?: object): Promise<{ readonly id: string }> {
    const response = await fetch(`${this.simulator.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.simulator.accessToken}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    expect(response.status, `${method} ${path}`).toBeLessThan(300)
    return response.json() as Promise<{ readonly id: string }>
  }

  async endpoints(): Promise<ReadonlyArray<{ readonly id: string; readonly url: string; readonly enabled: boolean }>> {
    const { items } = (await this.api("GET", "/v1/webhooks/endpoints")) as unknown as {
      readonly items: ReadonlyArray<{ readonly id: string; readonly url: string; readonly enabled: boolean }>
    }
    return items
  }

  async close(): Promise<void> {
    await this.#server?.close()
    await this.billing.dispose()
    await this.simulator.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** An app that works: set up by the command line, and somebody has bought. */
export const withOperatedApp = async (
  use: (app: OperatedApp) => Promise<void>,
  config: Partial<PolarConfig> = {},
  options: ServeOptions = {}
): Promise<void> => {
  const simulator = await serve(options)
  const folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  let handle = async (_: Request): Promise<Response> => new Response(null, { status: 503 })
  const server = await NodeServer.serve({ host: "127.0.0.1", port: 0, handle: (request) => handle(request) })
  const app = new OperatedApp(simulator, folder, server, config)
  handle = app.handle
  try {
    await app.billing.start()
    expect(await app.run("setup --yes --env-file .env")).toMatchObject({ exitCode: 0 })
    await app.restart()
    await use(app)
  } finally {
    await app.close()
  }
}
