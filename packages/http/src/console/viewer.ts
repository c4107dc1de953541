/** Who is it, and may they? */
import type { ConsoleAction, ConsoleOptions, ConsoleViewer } from "./ConsoleOptions.ts"

/** The console was opened without `authorize`, and not by somebody at this machine. */
export class ConsoleNotAuthorized extends Error {
  override readonly name = "ConsoleNotAuthorized"
  constructor() {
    super(
      "console(): authorize: it is missing. The console shows the data of all your users: say who may see it, as in billing.console(request, { authorize }). Without it the console answers only a development server's own machine (http://localhost), and is read-only. See docs/console.md."
    )
  }
}

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** Headers that a proxy adds: what it forwards comes from elsewhere, whatever the address says. */
const ofProxies = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "cf-connecting-ip"]

/**
 * Whether it names this machine, and nothing says that it comes from elsewhere. The name is what the client has written, so it
 * proves nothing: it lets a developer look, and nobody act, and counts for nothing in production.
 */
const isAtThisMachine = (request: Request): boolean =>
  loopback.test(new URL(request.url).hostname) &&
  (request.headers.get("host") === null || loopback.test(hostOf(request.headers.get("host") ?? ""))) &&
  !ofProxies.some((name) => request.headers.has(name)) &&
  // biome-ignore lint/style/noProcessEnv: it says what kind of process this is, and no option of ours does
  process.env["NODE_ENV"] !== "production"

const hostOf = (header: string): string => header.replace(/:\d+$/, "")

/** `null`: they may not. Throws where nobody has said who may, and what the app's function throws. */
export const viewerOf = async (
  request: Request,
  action: ConsoleAction,
  { authorize }: ConsoleOptions
): Promise<ConsoleViewer | null> => {
  if (authorize === undefined) {
    if (!isAtThisMachine(request)) throw new ConsoleNotAuthorized()
    return action === "read" ? { who: "a developer on this machine", may: "read" } : null
  }
  const answer: unknown = await authorize(request, action)
  if (answer === false || answer === null || answer === undefined) return null
  if (!isViewer(answer)) {
    throw new TypeError('console(): authorize must answer with false, or with { who: "…", may: "read" or "act" }.')
  }
  return action === "read" || answer.may === "act" ? answer : null
}

const isViewer = (answer: unknown): answer is ConsoleViewer =>
  typeof answer === "object" &&
  answer !== null &&
  typeof Reflect.get(answer, "who") === "string" &&
  String(Reflect.get(answer, "who")).trim() !== "" &&
  (Reflect.get(answer, "may") === "read" || Reflect.get(answer, "may") === "act")
