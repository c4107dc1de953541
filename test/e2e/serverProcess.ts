/** The server as a user starts it: a process of its own, seen only from outside. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { get } from "node:http"
import { devNull, tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { Webhook } from "standardwebhooks"

const root = resolve(import.meta.dirname, "../..")

/** The command line, as it was built. */
export const program = join(root, "packages/http/dist/bin.js")

/** What whoever runs the tests has in a file `.env` is not meant for them. */
const noEnvFile = { KAVACH_POLAR_ENV_FILE: devNull }

/** A new empty folder, and its removal. */
export const temporaryFolder = (): { readonly path: string; readonly remove: () => void } => {
  const path = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export interface ServerOptions {
  readonly data: string
  readonly env?: Readonly<Record<string, string>>
  /** What to start. `npm run …`: the README's own words. `node`: the same programs without building first. */
  readonly by?: "npm run serve" | "node" | "npm start" | "node shop"
}

export interface ServerProcess {
  readonly url: string
  /** Of the simulator that the shop sells on. */
  readonly simulatorUrl: string | null
  /** What the server made for itself and keeps in its data folder. */
  readonly webhookSecret: string | null
  /** Notifications that the app was given so far, as `user status`. */
  readonly notifications: () => ReadonlyArray<string>
  /** What it said so far, on either stream. */
  readonly said: () => string
  /** Asks the process to stop and waits for its exit code. */
  readonly stop: () => Promise<number | null>
}

export interface Exited {
  readonly code: number | null
  readonly stderr: string
}

const commands: Readonly<Record<NonNullable<ServerOptions["by"]>, readonly [string, ...Array<string>]>> = {
  "npm run serve": ["npm", "run", "serve", "--", "--json"],
  node: [process.execPath, "packages/http/dist/bin.js", "demo", "--json"],
  "npm start": ["npm", "start", "--", "--json"],
  "node shop": [process.execPath, "examples/shop/dist/main.js", "--json"]
}

const launch = ({ by = "node", data, env }: ServerOptions): ChildProcess => {
  const [command, ...args] = commands[by]
  // A group of its own, so that a signal reaches the program behind npm and its shell.
  return spawn(command, args, {
    cwd: root,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      PORT: "0",
      KAVACH_POLAR_DATA: data,
      ...noEnvFile,
      ...env
    }
  })
}

/** Starts the server and waits until it says that it listens. */
export const startServer = (options: ServerOptions): Promise<ServerProcess> =>
  new Promise((started, failed) => {
    const child = launch(options)
    const notifications: Array<string> = []
    let stderr = ""
    let said = ""
    let rest = ""
    const exited = new Promise<number | null>((resolve) => child.once("close", resolve))
    void exited.then((code) => failed(new Error(`the server exited with ${code}: ${stderr}`)))
    child.stderr?.on("data", (chunk) => {
      stderr += chunk
      said += chunk
    })
    child.stdout?.on("data", (chunk) => {
      said += chunk
      const lines = (rest + chunk).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines.filter((text) => text.startsWith("{"))) {
        const message = JSON.parse(line)
        if (message.event === "subscriptionChange") {
          notifications.push(`${message.userId} ${message.subscription.status}`)
        }
        if (message.event === "listening") {
          started({
            url: message.url,
            simulatorUrl: message.simulatorUrl ?? null,
            webhookSecret: secretIn(message.webhookSecretFile),
            notifications: () => [...notifications],
            said: () => said,
            stop: () => {
              if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
                process.kill(-child.pid, "SIGTERM")
              }
              return exited
            }
          })
        }
      }
    })
  })

/** Shops that started at once have a line each, and use the first one. */
const secretIn = (file: unknown): string | null =>
  typeof file === "string" ? (readFileSync(file, "utf8").trim().split("\n")[0] ?? "") : null

/** Starts a server that is expected to give up. */
export const startAndFail = (options: ServerOptions): Promise<Exited> =>
  new Promise((resolve) => {
    const child = launch(options)
    let stderr = ""
    child.stderr?.on("data", (chunk) => {
      stderr += chunk
    })
    child.once("close", (code) => resolve({ code, stderr }))
  })

/** Runs a command of the command line to its end. */
export const runCommand = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {},
  cwd = root
): Promise<Exited & { readonly stdout: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...args], {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], ...(cwd === root ? noEnvFile : {}), ...env }
    })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk) => {
      stdout += chunk
    })
    child.stderr.on("data", (chunk) => {
      stderr += chunk
    })
    child.once("close", (code) => resolve({ code, stdout, stderr }))
  })

/** Signs with the Standard Webhooks package. `utf8` is Polar's original scheme: the whole secret is the key. */
export const signer = (secret: string, scheme: "utf8" | "standard"): Webhook =>
  new Webhook(scheme === "utf8" ? Buffer.from(secret).toString("base64") : secret)

/** Delivers a body as Polar does. */
export const deliver = async (server: ServerProcess, webhook: Webhook, id: string, body: string): Promise<Response> => {
  const now = new Date()
  return fetch(`${server.url}/auth/polar/webhook`, {
    method: "POST",
    redirect: "manual",
    headers: {
      "user-agent": "polar.sh webhooks",
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
      "webhook-signature": webhook.sign(id, now, body)
    },
    body
  })
}

export const readSubscription = async (server: ServerProcess, user: string): Promise<unknown> => {
  const response = await fetch(`${server.url}/auth/polar/subscription`, { headers: { "x-demo-user": user } })
  return ((await response.json()) as { readonly subscription: unknown }).subscription
}

/** What is answered to a request that names another host, as of a page whose name was made to lead to this machine. */
export const statusForHost = (url: string, host: string, path = "/"): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const { port } = new URL(url)
    get({ host: "127.0.0.1", port, path, headers: { host } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).on("error", reject)
  })

/** Waits until a condition holds. */
export const eventually = async (condition: () => boolean, seconds = 10): Promise<void> => {
  for (let attempt = 0; attempt < seconds * 20 && !condition(); attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
