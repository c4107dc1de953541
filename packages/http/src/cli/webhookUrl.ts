/** Where the app takes webhooks, as Polar is told it. */
import { type Terminal, wrong } from "./Terminal.ts"

/** What Polar delivers to is https and no address of a private network (Polar docs: webhooks/endpoints); a simulator's is any. */
export const webhookUrlOf = (option: string | undefined, env: Terminal["env"]): string => {
  const given = (option ?? env["POLAR_WEBHOOK_URL"] ?? "").trim()
  if (given === "") {
    throw wrong(
      "Where does your app take webhooks? Say --url https://app.example.com/auth/polar/webhook, or set POLAR_WEBHOOK_URL."
    )
  }
  const protocol = URL.canParse(given) ? new URL(given).protocol : ""
  const isPolars = env["POLAR_API_URL"] === undefined
  if (protocol === "https:" || (protocol === "http:" && !isPolars)) return given
  throw wrong(
    `"${given}" is no address that Polar delivers to: it begins with https:// and can be reached from outside.`
  )
}
