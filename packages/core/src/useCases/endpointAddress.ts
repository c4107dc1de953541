/** Addresses of webhook endpoints. */

/** The address in one form: two that lead to the same endpoint are equal. */
export const hrefOf = (url: string): string => (URL.canParse(url) ? new URL(url).href.replace(/\/+$/, "") : url)

export const pathOf = (url: string): string => (URL.canParse(url) ? new URL(url).pathname.replace(/\/+$/, "") : "")
