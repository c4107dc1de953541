/** A body without what names or describes a person, for a page that somebody may look over. */

/** As Polar names them, at any depth (Polar's API reference, objects `Customer`, `Order`, `Checkout`, `Member`). */
const personal = new Set([
  "email",
  "name",
  "public_name",
  "billing_name",
  "billing_address",
  "customer_name",
  "customer_email",
  "customer_ip_address",
  "customer_billing_name",
  "customer_billing_address",
  "customer_tax_id",
  "tax_id",
  "avatar_url",
  "github_username",
  "account_id",
  "custom_field_data",
  "metadata",
  "properties",
  "user_metadata",
  "customer_metadata",
  "customer_cancellation_comment",
  "comment"
])

const hidden = "(folded)"

/** A product or a benefit has a name and metadata too, which are the merchant's. */
const ofMerchant = new Set(["product", "benefit", "benefits", "discount", "organization", "prices", "meter", "items"])

const folded = (value: unknown, key: string | null, isMerchants: boolean): unknown => {
  if (key !== null && !isMerchants && personal.has(key) && value !== null) return hidden
  if (Array.isArray(value)) return value.map((inner) => folded(inner, null, isMerchants))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, folded(inner, name, isMerchants || ofMerchant.has(name))])
  )
}

/** Pretty, in two forms; both the text itself where it is no JSON, which is then folded whole. */
export const bodyForms = (body: string): { readonly folded: string; readonly whole: string } => {
  try {
    const json: unknown = JSON.parse(body)
    return { folded: JSON.stringify(folded(json, null, false), null, 2), whole: JSON.stringify(json, null, 2) }
  } catch {
    return { folded: hidden, whole: body }
  }
}
