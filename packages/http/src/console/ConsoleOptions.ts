/** Who may see the console, and who may act there: the app says so. */
import * as Options from "@kavach-polar/core/Options"
import * as Schema from "effect/Schema"

/** What somebody wants to do. `read` is every page; each of the others changes something. */
export const consoleActions = [
  "read",
  "delivery.replay",
  "notification.retry",
  "notification.bury",
  "customer.link",
  "customer.move",
  "customer.unlink",
  "user.reconcile"
] as const
export type ConsoleAction = (typeof consoleActions)[number]

/** Somebody who may see the console. */
export interface ConsoleViewer {
  /** Who it is, as the audit trail keeps it: a name or an id that your team knows them by. */
  readonly who: string
  /** `read` sees every page, with the data of your users; `act` may also change things. */
  readonly may: "read" | "act"
}

/** Whoever may see it; anything else is nobody. */
export type ConsoleAnswer = ConsoleViewer | false | null | undefined

/**
 * @example
 * billing.console(request, { authorize: (asking) => asking.headers.get("x-staff") === "lin" && { who: "Lin", may: "act" } })
 */
export interface ConsoleOptions {
  /**
   * Whether whoever sent the request may do this: see `ConsoleViewer`; `false` or `null` for nobody. It is asked anew for every
   * page and every action, and must not read the body. Without it only requests to this machine's own address are answered,
   * read-only, and nothing in production.
   */
  readonly authorize?: ((request: Request, action: ConsoleAction) => ConsoleAnswer | Promise<ConsoleAnswer>) | undefined
}

const consoleOptions: Schema.Schema<ConsoleOptions> = Schema.Struct({
  authorize: Options.optional(Options.callback<NonNullable<ConsoleOptions["authorize"]>>())
})

/** Throws an `InvalidOption`. */
export const checkConsoleOptions = Options.optionsCheck("console()", consoleOptions)
