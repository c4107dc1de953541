/** One transition under way: a draft of the state, the time, randomness, and the webhooks that come of it. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { PCGRandom } from "effect/Utils"
import { iso, plus } from "./Calendar.ts"
import type { Customer, TableName, Tables, World } from "./Records.ts"
import * as Wire from "./Wire.ts"

/** A business event, as the endpoints that subscribe to it are told. */
export interface Emitted {
  readonly type: string
  readonly at: EpochMicros
  readonly data: object
}

/**
 * Everything in a step happens at one time; each thing that is written gets a microsecond of its own, as in one of
 * Polar's transactions. A step that is refused is thrown away.
 */
export class Step {
  world: World
  readonly emitted: Array<Emitted> = []
  readonly #random: PCGRandom
  readonly #changed = new Set<string>()
  readonly #jobs = new Map<string, (step: Step) => void>()
  readonly #begun: EpochMicros
  #now: EpochMicros

  constructor(world: World, now: EpochMicros, random: PCGRandom) {
    this.world = world
    this.#begun = now
    this.#now = now
    this.#random = random
  }

  /** The last time that was given out. */
  get last(): EpochMicros {
    return this.#now
  }

  /** The time; later by a microsecond every time it is asked for. */
  now(): EpochMicros {
    this.#now = plus(this.#now, 1)
    return this.#now
  }

  find<Name extends TableName>(table: Name, id: string | null): Tables[Name] | undefined {
    return id === null ? undefined : Option.getOrUndefined(HashMap.get(this.world.tables[table], id))
  }

  /** A record that another one refers to. */
  get<Name extends TableName>(table: Name, id: string): Tables[Name] {
    return HashMap.unsafeGet(this.world.tables[table], id)
  }

  /** The oldest first. */
  all<Name extends TableName>(table: Name): ReadonlyArray<Tables[Name]> {
    return rows(this.world, table)
  }

  put<Name extends TableName>(table: Name, row: Tables[Name]): Tables[Name] {
    const { tables } = this.world
    this.world = { ...this.world, tables: { ...tables, [table]: HashMap.set(tables[table], row.id, row) } }
    return row
  }

  /** Writes a record that is there; `modified_at` says when. */
  update<Name extends TableName>(table: Name, id: string, change: Partial<Tables[Name]>): Tables[Name] {
    return this.put(table, { ...this.get(table, id), ...change, modified_at: this.now() })
  }

  remove<Name extends TableName>(table: Name, id: string): void {
    const { tables } = this.world
    this.world = { ...this.world, tables: { ...tables, [table]: HashMap.remove(tables[table], id) } }
  }

  /** For a new record. */
  stamp(): { readonly id: string; readonly created_at: EpochMicros; readonly modified_at: null } {
    return { id: this.uuid(), created_at: this.now(), modified_at: null }
  }

  // RFC 9562, 5.4: Polar takes version 4 only.
  uuid(): string {
    const digits = this.text(31, hex)
    const variant = hex.charAt(8 + this.#random.integer(4))
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(12, 15)}-${variant}${digits.slice(15, 18)}-${digits.slice(18, 30)}`
  }

  text(length: number, alphabet = alphanumeric): string {
    return Array.from({ length }, () => alphabet.charAt(this.#random.integer(alphabet.length))).join("")
  }

  /** Whether the next charge goes through; `forGood` when trying again cannot help. */
  charge(): "paid" | "declined" | "declinedForGood" {
    const [forGood, ...declines] = this.world.declines
    if (forGood === undefined) return "paid"
    this.world = { ...this.world, declines }
    return forGood ? "declinedForGood" : "declined"
  }

  emit(type: string, data: object): void {
    const at = this.now()
    this.emitted.push({ type, at, data })
    for (const endpoint of this.all("endpoints")) {
      if (!endpoint.enabled || !endpoint.events.includes(type)) continue
      const position = this.world.positions
      this.world = { ...this.world, positions: position + 1 }
      this.put("events", {
        ...this.stamp(),
        endpoint_id: endpoint.id,
        type,
        payload: JSON.stringify({ type, timestamp: iso(at), api_version: endpoint.api_version, data }),
        attempts: 0,
        succeeded: null,
        skipped: false,
        last_http_code: null,
        due_at: at,
        position,
        firstPosition: position,
        cause: this.#begun
      })
    }
  }

  /** What one of Polar's workers does when the transaction is over; the same job is done once. */
  later(job: string, run: (step: Step) => void): void {
    if (!this.#jobs.has(job)) this.#jobs.set(job, run)
  }

  /** The customer's state changed: told at the end of the step, once. */
  stateChanged(customerId: string): void {
    this.#changed.add(customerId)
  }

  emitCustomer(type: string, customer: Customer): void {
    this.emit(type, Wire.customer(this.world, customer))
    this.emit("customer.state_changed", Wire.customerState(this.world, customer))
    this.#changed.delete(customer.id)
  }

  /** Ends the step. */
  finish(): World {
    for (const run of this.#jobs.values()) run(this)
    for (const id of this.#changed) {
      this.emit("customer.state_changed", Wire.customerState(this.world, this.get("customers", id)))
    }
    return this.world
  }
}

/** The rows of a table, the oldest first. */
export const rows = <Name extends TableName>(world: World, table: Name): ReadonlyArray<Tables[Name]> =>
  Array.from(HashMap.values<string, Tables[Name]>(world.tables[table])).sort(
    (one, other) => one.created_at - other.created_at
  )

const hex = "0123456789abcdef"
const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
