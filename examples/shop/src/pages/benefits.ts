/** What the user has by what they bought: features with their values, and license keys. */
import type { Visit } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"

/** Nothing for who has none. */
export const benefitsSection = async ({ services }: Visit, userId: string): Promise<Html | false> => {
  const benefits = await services.billing.benefits.list(userId)
  if (benefits.length === 0) return false
  const keys = await services.billing.licenseKeys.list(userId)
  const lines = benefits.map(({ benefitId, description, key: name, metadata, source }) => {
    const values = Object.entries(metadata).filter(([field]) => field !== "key")
    const own = keys.filter((key) => key.benefitId === benefitId)
    return html`<li><strong>${description ?? name}</strong>
${values.map(([field, value]) => html`<span class="muted">${field}: ${String(value)}</span>`)}
${own.map(({ displayKey, key }) => html`<code>${key ?? displayKey}</code>`)}
<span class="muted">${source !== null && "orderId" in source ? "bought" : "with your subscription"}</span></li>`
  })
  return html`<section aria-labelledby="benefits"><h2 id="benefits">What you have</h2><ul class="log">${lines}</ul></section>`
}
