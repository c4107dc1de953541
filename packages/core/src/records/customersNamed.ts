/**
 * Which customers does a body name that is kept and not understood? So that it goes when Polar deletes one of them: that is
 * asked of types that this version does not know, and of data that it cannot read.
 */
import * as Schema from "effect/Schema"
import { CustomerId } from "../values/ids.ts"

const isCustomerId = Schema.is(CustomerId)

/** No event of Polar's names more than a few; a body of a megabyte could name thousands, and each costs a lock. */
const most = 16

/** Those nearest to the top first: what the event is about stands there. Without recursion: bodies nest at will. */
export const customersNamed = (type: string, data: Readonly<Record<string, unknown>>): ReadonlyArray<string> => {
  const named = new Set<string>()
  const add = (id: unknown) => {
    if (isCustomerId(id) && named.size < most) named.add(id)
  }
  if (type.startsWith("customer.")) add(data["id"])
  const open: Array<unknown> = [data]
  for (const holder of open) {
    if (typeof holder !== "object" || holder === null) continue
    for (const [key, value] of Object.entries(holder)) {
      if (key === "customer_id") add(value)
      if (key === "customer" && typeof value === "object" && value !== null) add(Reflect.get(value, "id"))
      if (typeof value === "object" && value !== null) open.push(value)
    }
  }
  return [...named]
}
