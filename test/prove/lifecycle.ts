/**
 * What can happen to one subscription at Polar, and which events tell of it in which order (Polar's server:
 * subscription/service). Every event of one transition carries the same object.
 */
import type { Random } from "./seeded.ts"

export type Json = Readonly<Record<string, unknown>>

/** What an event says, and when, in microseconds since 1970. */
export interface Told {
  readonly type: string
  readonly at: number
  readonly data: Json
}

type Status = "trialing" | "active" | "past_due" | "paused" | "canceled" | (string & {})

/** The part of Polar's object that transitions change. */
export interface State {
  readonly status: Status
  readonly product_id: string
  readonly current_period_start: string
  readonly current_period_end: string
  readonly trial_start: string | null
  readonly trial_end: string | null
  readonly cancel_at_period_end: boolean
  readonly canceled_at: string | null
  readonly ends_at: string | null
  readonly ended_at: string | null
  readonly past_due_at: string | null
  readonly pause_at_period_end: boolean
  readonly paused_at: string | null
  readonly seats: number | null
  readonly amount: number
}

interface Transition {
  readonly name: string
  readonly from: (state: State) => boolean
  readonly events: readonly [string, ...ReadonlyArray<string>]
  readonly to: (state: State, at: number, random: Random) => Partial<State>
}

export const day = 86_400_000_000

/** ISO 8601 with microseconds, as Polar writes it. */
export const iso = (micros: number): string =>
  `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1)}${String(micros % 1000).padStart(3, "0")}Z`

const live = ({ ended_at }: State): boolean => ended_at === null
const is =
  (...statuses: ReadonlyArray<Status>) =>
  (state: State): boolean =>
    live(state) && statuses.includes(state.status)

const nextPeriod = (_: State, at: number): Partial<State> => ({
  current_period_start: iso(at),
  current_period_end: iso(at + 30 * day)
})

const ended = (_: State, at: number): Partial<State> => ({
  status: "canceled",
  canceled_at: iso(at),
  ends_at: iso(at),
  ended_at: iso(at),
  past_due_at: null
})

const endingEvents = ["updated", "canceled", "revoked"] as const

const transitions: ReadonlyArray<Transition> = [
  {
    name: "trial to paid",
    from: is("trialing"),
    events: ["cycled", "updated"],
    to: (state, at) => ({ ...nextPeriod(state, at), status: "active" })
  },
  {
    name: "renewal",
    from: (state) => is("active")(state) && !state.cancel_at_period_end && !state.pause_at_period_end,
    events: ["cycled", "updated"],
    to: nextPeriod
  },
  {
    name: "renewal unpaid",
    from: (state) => is("active")(state) && !state.cancel_at_period_end,
    events: ["updated", "past_due"],
    to: (state, at) => ({ ...nextPeriod(state, at), status: "past_due", past_due_at: iso(at) })
  },
  {
    name: "recovery",
    from: is("past_due"),
    events: ["updated", "active"],
    to: () => ({ status: "active", past_due_at: null })
  },
  { name: "dunning exhausted", from: is("past_due"), events: endingEvents, to: ended },
  {
    name: "schedule the end",
    from: (state) => is("trialing", "active", "past_due")(state) && !state.cancel_at_period_end,
    events: ["updated", "canceled"],
    to: (state, at) => ({ cancel_at_period_end: true, canceled_at: iso(at), ends_at: state.current_period_end })
  },
  {
    name: "uncancel",
    from: (state) => live(state) && state.cancel_at_period_end,
    events: ["updated", "uncanceled"],
    to: () => ({ cancel_at_period_end: false, canceled_at: null, ends_at: null })
  },
  {
    name: "the scheduled end",
    from: (state) => live(state) && state.cancel_at_period_end,
    events: endingEvents,
    to: ended
  },
  { name: "revoke at once", from: live, events: endingEvents, to: ended },
  {
    name: "another plan",
    from: is("trialing", "active"),
    events: ["updated"],
    to: (state, _, random) => ({ product_id: random.uuid(), amount: state.amount + 1000 })
  },
  {
    name: "more seats",
    from: is("trialing", "active", "past_due"),
    events: ["updated"],
    to: ({ seats }) => ({ seats: (seats ?? 0) + 1 })
  },
  {
    name: "usage metered",
    from: is("active"),
    events: ["updated"],
    to: ({ amount }, _, random) => ({ amount: amount + random.int(100) })
  },
  {
    name: "schedule a pause",
    from: (state) => is("active")(state) && !state.cancel_at_period_end && !state.pause_at_period_end,
    events: ["updated"],
    to: () => ({ pause_at_period_end: true })
  },
  {
    name: "pause",
    from: (state) => is("active")(state) && state.pause_at_period_end,
    events: ["updated", "paused"],
    to: (_, at) => ({ status: "paused", pause_at_period_end: false, paused_at: iso(at) })
  },
  {
    name: "resume",
    from: is("paused"),
    events: ["updated", "resumed"],
    to: (state, at) => ({ ...nextPeriod(state, at), status: "active", paused_at: null })
  },
  {
    name: "migrate",
    from: is("active"),
    events: ["migrated", "updated"],
    to: (_, __, random) => ({ product_id: random.uuid() })
  },
  {
    name: "a status of the future",
    from: is("active"),
    events: ["updated"],
    to: () => ({ status: "suspended_for_review" })
  },
  {
    name: "reinstate",
    from: (state) => !live(state),
    events: ["updated", "active"],
    to: (state, at) => ({
      ...nextPeriod(state, at),
      status: "active",
      cancel_at_period_end: false,
      canceled_at: null,
      ends_at: null,
      ended_at: null
    })
  }
]

/** The start of a subscription at `at`, bought with a trial or without. */
export const begin = (random: Random, at: number): State => {
  const trial = random.chance(0.3)
  return {
    status: trial ? "trialing" : "active",
    product_id: random.uuid(),
    current_period_start: iso(at),
    current_period_end: iso(at + (trial ? 14 : 30) * day),
    trial_start: trial ? iso(at) : null,
    trial_end: trial ? iso(at + 14 * day) : null,
    cancel_at_period_end: false,
    canceled_at: null,
    ends_at: null,
    ended_at: null,
    past_due_at: null,
    pause_at_period_end: false,
    paused_at: null,
    seats: random.chance(0.3) ? 1 + random.int(5) : null,
    amount: 1900
  }
}

export const beginning = ["created", "active", "updated"] as const

/** Some transition that is open to the state; the end of all things is the rarest. */
export const step = (
  state: State,
  at: number,
  random: Random
): { readonly events: ReadonlyArray<string>; readonly state: State } | undefined => {
  const open = transitions.filter(({ from }) => from(state))
  const [first, ...rest] = open
  if (first === undefined || (!live(state) && random.chance(0.7))) return undefined
  const { events, to } = random.pick([first, ...rest])
  return { events, state: { ...state, ...to(state, at, random) } }
}
