/** What many of Polar's objects have in common on the wire. */
import * as HashMap from "effect/HashMap"
import { iso, isoOrNull } from "../Calendar.ts"
import type { Address, Stamped, TableName, Tables, World } from "../Records.ts"

/** A record that another one refers to. */
export const get = <Name extends TableName>(world: World, table: Name, id: string): Tables[Name] =>
  HashMap.unsafeGet(world.tables[table], id)

export const stamped = ({ created_at, id, modified_at }: Stamped) => ({
  id,
  created_at: iso(created_at),
  modified_at: isoOrNull(modified_at)
})

export const address = (address: Address | null) =>
  address === null
    ? null
    : {
        line1: address.line1 ?? null,
        line2: address.line2 ?? null,
        postal_code: address.postal_code ?? null,
        city: address.city ?? null,
        state: address.state ?? null,
        country: address.country
      }
