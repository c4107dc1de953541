/**
 * What is kept of a delivery's body. It is kept to be replayed, after an upgrade or a repair; so nothing is kept of what a
 * replay would not use, and of the rest not what opens a door, or tells where somebody lives.
 */
import { toStorable } from "./storedText.ts"

/** Keys whose values are never written, wherever they stand, and why. */
export const withheld: Readonly<Record<string, string>> = {
  client_secret: "whoever has it can open the buyer's checkout, and change it",
  intent_client_secret: "the same at the card processor",
  payment_processor_metadata: "holds the card processor's keys and secrets",
  processor_metadata: "the same, on payments",
  customer_session_token: "opens the customer's portal, where subscriptions are cancelled",
  customer_portal_url: "holds that token",
  token: "of whatever kind, it opens something",
  access_token: "the same",
  invitation_token: "whoever has it takes the seat",
  guild_token: "names a Discord server to whoever has it",
  secret: "the same",
  key: "a license key works for whoever has it",
  ip_address: "says where a person was",
  customer_ip_address: "the same",
  user_agent: "says what a person used",
  billing_address: "says where a person lives; the records do not have it",
  customer_billing_address: "the same",
  billing_name: "a person's name that the records do not have",
  customer_billing_name: "the same",
  tax_id: "names a person or a company to the authorities",
  customer_tax_id: "the same",
  avatar_url: "holds a fingerprint of the e-mail address",
  email_hash: "the same",
  user: "the customer once more, under a name that Polar has given up"
}

/** Polar's tokens and secrets, in whatever text: of checkouts, sessions, access and webhooks. */
const anySecret = /polar_(?:c|cst|mst|oat|pat|rt|at|whs|cs|ci|cr|sub)_[\w-]{8,}|whsec_[\w+/=-]{8,}/

/** Removes what is withheld, in place; succeeds with whether there was any. Without recursion: bodies nest at will. */
const withhold = (json: unknown): boolean => {
  let found = false
  const open: Array<object> = typeof json === "object" && json !== null ? [json] : []
  for (let holder = open.pop(); holder !== undefined; holder = open.pop()) {
    for (const [key, value] of Object.entries(holder)) {
      if (Object.hasOwn(withheld, key) || (typeof value === "string" && anySecret.test(value))) {
        // Of a list the place stays, so that the others keep theirs.
        if (Array.isArray(holder)) holder[Number(key)] = null
        else Reflect.deleteProperty(holder, key)
        found = true
      } else if (typeof value === "object" && value !== null) open.push(value)
    }
  }
  return found
}

const without = (json: unknown, keys: ReadonlyArray<string>): boolean => {
  const data: unknown = typeof json === "object" && json !== null ? Reflect.get(json, "data") : undefined
  if (typeof data !== "object" || data === null) return false
  const found = keys.filter((key) => Object.hasOwn(data, key))
  for (const key of found) Reflect.deleteProperty(data, key)
  return found.length > 0
}

/**
 * The body as it is stored; `null` where it cannot be written again. `json` is what `text` says, and is taken apart: nobody
 * may use it afterwards. `personal`: further keys of its data that go.
 */
export const storedBody = (text: string, json: unknown, personal: ReadonlyArray<string> = []): string | null => {
  try {
    const isLess = [without(json, personal), withhold(json)].includes(true)
    return toStorable(isLess ? JSON.stringify(json) : text)
  } catch {
    // JSON is read to any depth, and written to some thousands of levels only.
    return null
  }
}
