"use client"
/** Hooks for React 18 and later. On a server they render what is not loaded yet, and ask nothing. */
import {
  createContext,
  createElement,
  type FunctionComponent,
  type ReactNode,
  useCallback,
  useContext,
  useState,
  useSyncExternalStore
} from "react"
import type { AccessAnswer, CurrentSubscription, UsersBenefit } from "./answers.ts"
import type { CheckoutOutcome, PolarClient } from "./client.ts"
import type { PolarClientError } from "./PolarClientError.ts"
import type { AccessQuery, CheckoutOptions } from "./requests.ts"
import { type Loaded, notLoaded, type Resource, resourcesOf, shownError } from "./resources.ts"

const Client = createContext<PolarClient | undefined>(undefined)

export interface PolarProviderProps {
  /** One for the whole app, made outside of components. */
  readonly client: PolarClient
  readonly children?: ReactNode
}

/**
 * Gives the hooks below it their client.
 *
 * @example
 * const polarClient = createPolarClient()
 * const app = createElement(PolarProvider, { client: polarClient }, createElement("main"))
 */
export const PolarProvider: FunctionComponent<PolarProviderProps> = ({ children, client }) =>
  createElement(Client.Provider, { value: client }, children)

export interface UsePolar {
  readonly client: PolarClient
  /** Asks again for all that is shown: after a sign-in or sign-out. */
  readonly refresh: () => void
}

/**
 * The client of the provider. What is changed through it is shown by all hooks.
 *
 * @example
 * const { client } = usePolar()
 * const onCancel = () => client.subscription.cancel()
 */
export const usePolar = (): UsePolar => {
  const client = useContext(Client)
  if (client === undefined) throw new Error("There is no PolarProvider around this component")
  return { client, refresh: resourcesOf(client).outdate }
}

const useResource = <Data>(resource: Resource<Data>): Loaded<Data> =>
  useSyncExternalStore(resource.subscribe, resource.current, (): Loaded<Data> => notLoaded)

export interface Shown {
  /** Whether it is being asked for; what was there before is shown meanwhile. */
  readonly isLoading: boolean
  readonly error: PolarClientError | undefined
  /** Asks again. Never rejects: what goes wrong is `error`. */
  readonly refresh: () => Promise<void>
}

export interface UseSubscription extends Shown {
  /** `null`: none is live. `undefined`: not loaded. */
  readonly subscription: CurrentSubscription | null | undefined
}

/**
 * The signed-in user's current subscription.
 *
 * @example
 * const { subscription } = useSubscription()
 * const plan = subscription?.productId ?? "free"
 */
export const useSubscription = (): UseSubscription => {
  const { subscription } = resourcesOf(usePolar().client)
  const { data, error, isLoading } = useResource(subscription)
  return { subscription: data, error, isLoading, refresh: subscription.refresh }
}

export interface UseAccess extends Shown {
  /** `false` also while nothing is known. */
  readonly hasAccess: boolean
  /** Why, and until when; `undefined`: not loaded. */
  readonly access: AccessAnswer | undefined
}

/**
 * Whether the signed-in user has access: by any product, or by one of those that are named.
 *
 * @example
 * const { hasAccess, isLoading } = useAccess({ product: ["pro", "team"] })
 */
export const useAccess = (query: AccessQuery = {}): UseAccess => {
  const resource = resourcesOf(usePolar().client).access(query)
  const { data, error, isLoading } = useResource(resource)
  return { hasAccess: data?.hasAccess === true, access: data, error, isLoading, refresh: resource.refresh }
}

export interface UseBenefit extends Shown {
  /** `false` also while nothing is known. */
  readonly hasBenefit: boolean
  /** Of several grants of it the oldest. */
  readonly benefit: UsersBenefit | undefined
}

/**
 * A benefit of the signed-in user's, by its `metadata.key` at Polar or its id.
 *
 * @example
 * const { benefit } = useBenefit("max-projects")
 * const limit = Number(benefit?.metadata["limit"] ?? 1)
 */
export const useBenefit = (key: string): UseBenefit => {
  const { benefits } = resourcesOf(usePolar().client)
  const { data, error, isLoading } = useResource(benefits)
  const benefit = data?.find((one) => one.key === key || one.benefitId === key)
  return { hasBenefit: benefit !== undefined, benefit, error, isLoading, refresh: benefits.refresh }
}

export interface UseCheckout {
  /** Never rejects: what goes wrong is `error`, and then there is no outcome. */
  readonly checkout: (options: CheckoutOptions) => Promise<CheckoutOutcome | undefined>
  /** From the click until the page leaves, or the embedded checkout closes. */
  readonly isPending: boolean
  readonly error: PolarClientError | undefined
}

/**
 * For a button that buys.
 *
 * @example
 * const { checkout, isPending } = useCheckout()
 * const button = createElement("button", { disabled: isPending, onClick: () => checkout({ productId: "pro" }) }, "Buy")
 */
export const useCheckout = (): UseCheckout => {
  const { client } = usePolar()
  const [state, setState] = useState<Omit<UseCheckout, "checkout">>({ isPending: false, error: undefined })
  const checkout = useCallback(
    async (options: CheckoutOptions) => {
      setState({ isPending: true, error: undefined })
      try {
        const outcome = await client.checkout(options)
        setState({ isPending: false, error: undefined })
        return outcome
      } catch (cause) {
        setState({ isPending: false, error: shownError(cause) })
        return undefined
      }
    },
    [client]
  )
  return { checkout, ...state }
}
