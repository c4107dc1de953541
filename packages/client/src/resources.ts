/** What hooks show: asked for once, however many components show it, and again after a change. */
import type { AccessAnswer, CurrentSubscription, UsersBenefit } from "./answers.ts"
import type { PolarClient } from "./client.ts"
import { PolarClientError } from "./PolarClientError.ts"
import type { AccessQuery } from "./requests.ts"

export interface Loaded<Data> {
  /** `undefined` until it is there. It stays while it is asked for again, and when that fails; not when nobody is signed in. */
  readonly data: Data | undefined
  readonly error: PolarClientError | undefined
  readonly isLoading: boolean
}

/** Before anything was asked for: what a server renders. */
export const notLoaded: Loaded<never> = { data: undefined, error: undefined, isLoading: true }

/** What a hook shows of what was thrown, which may be the app's own code's. */
export const shownError = (cause: unknown): PolarClientError =>
  cause instanceof PolarClientError
    ? cause
    : new PolarClientError({ code: "network", message: "The request could not be sent", cause })

export class Resource<Data> {
  #loaded: Loaded<Data> = notLoaded
  #isStale = true
  #latest = 0
  readonly #listeners = new Set<() => void>()
  readonly #ask: () => Promise<Data>

  constructor(ask: () => Promise<Data>) {
    this.#ask = ask
  }

  readonly current = (): Loaded<Data> => this.#loaded

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    if (this.#isStale) void this.refresh()
    return () => void this.#listeners.delete(listener)
  }

  /** Of several requests at once the one that was sent last is right. Never rejects: what goes wrong is shown. */
  readonly refresh = async (): Promise<void> => {
    const turn = ++this.#latest
    this.#isStale = false
    this.#show({ ...this.#loaded, isLoading: true })
    try {
      const data = await this.#ask()
      if (turn === this.#latest) this.#show({ data, error: undefined, isLoading: false })
    } catch (cause) {
      if (turn !== this.#latest) return
      const error = shownError(cause)
      const data = error.code === "not_signed_in" ? undefined : this.#loaded.data
      this.#show({ data, error, isLoading: false })
    }
  }

  /** Asks again at once where it is shown, else when it is shown next. */
  readonly outdate = (): void => {
    this.#isStale = true
    if (this.#listeners.size > 0) void this.refresh()
  }

  #show(loaded: Loaded<Data>): void {
    this.#loaded = loaded
    for (const listener of this.#listeners) listener()
  }
}

export interface Resources {
  readonly subscription: Resource<CurrentSubscription | null>
  readonly benefits: Resource<ReadonlyArray<UsersBenefit>>
  readonly access: (query: AccessQuery) => Resource<AccessAnswer>
  /** All of them. */
  readonly outdate: () => void
}

const known = new WeakMap<PolarClient, Resources>()

/** The same for all who have the same client. */
export const resourcesOf = (client: PolarClient): Resources => {
  const found = known.get(client)
  if (found !== undefined) return found
  const subscription = new Resource(client.subscription.get)
  const benefits = new Resource(client.benefits.list)
  const accesses = new Map<string, Resource<AccessAnswer>>()
  const resources: Resources = {
    subscription,
    benefits,
    access: (query) => {
      const key = JSON.stringify([query.product ?? []].flat())
      const access = accesses.get(key) ?? new Resource(() => client.access(query))
      accesses.set(key, access)
      return access
    },
    outdate: () => {
      for (const resource of [subscription, benefits, ...accesses.values()]) resource.outdate()
    }
  }
  known.set(client, resources)
  client.onChange(resources.outdate)
  return resources
}
