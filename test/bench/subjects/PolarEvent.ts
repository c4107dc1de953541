/** The fields of a subscription event that a handler by hand picks. */

export interface PolarEvent {
  readonly type: string
  readonly timestamp: string
  readonly data: {
    readonly id: string
    readonly status: string
    readonly product_id: string
    readonly customer_id: string
    readonly current_period_end: string | null
    readonly cancel_at_period_end: boolean
    readonly customer: { readonly external_id: string; readonly organization_id: string }
  }
}

/** Microseconds since 1970: which of two events is the newer. */
export const microsOf = (timestamp: string): number => {
  const fraction = /\.(\d+)Z$/.exec(timestamp)?.[1] ?? ""
  return Math.floor(Date.parse(timestamp) / 1000) * 1_000_000 + Number(fraction.padEnd(6, "0").slice(0, 6))
}

/** What the app's callback is to be told. */
export const payloadOf = ({ data }: PolarEvent): string =>
  JSON.stringify({
    id: data.id,
    status: data.status,
    productId: data.product_id,
    currentPeriodEnd: data.current_period_end,
    cancelAtPeriodEnd: data.cancel_at_period_end
  })
