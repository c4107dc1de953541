/** All kinds of Polar's objects that are kept. Another one is a module like these and a line here: docs/contributing.md. */
import { benefitKind } from "./Benefit.ts"
import { benefitGrantKind } from "./BenefitGrant.ts"
import { checkoutKind } from "./Checkout.ts"
import { customerKind } from "./Customer.ts"
import { customerSeatKind } from "./CustomerSeat.ts"
import { customerStateKind } from "./CustomerState.ts"
import { discountKind } from "./Discount.ts"
import type { Kind, ListedKind } from "./Kind.ts"
import { licenseKeyKind } from "./LicenseKey.ts"
import { licenseKeyAnswerKind } from "./LicenseKeyAnswer.ts"
import { memberKind } from "./Member.ts"
import { orderKind } from "./Order.ts"
import { organizationKind } from "./Organization.ts"
import { isOwnMetadata, isRecordedMark } from "./PolarObjects.ts"
import { productKind } from "./Product.ts"
import { refundKind } from "./Refund.ts"
import { blanked } from "./storedText.ts"
import { subscriptionKind } from "./subscriptionKind.ts"

export const kinds: ReadonlyArray<Kind<unknown>> = [
  subscriptionKind,
  orderKind,
  refundKind,
  benefitKind,
  benefitGrantKind,
  productKind,
  discountKind,
  checkoutKind,
  customerKind,
  customerStateKind,
  customerSeatKind,
  memberKind,
  organizationKind,
  licenseKeyKind,
  licenseKeyAnswerKind
]

/** Those of which a user has some. */
export const ownedKinds: ReadonlyArray<Kind<unknown>> = kinds.filter(({ isOwned }) => isOwned)

/** Those that can be compared with Polar's API. */
export const listedKinds: ReadonlyArray<ListedKind<unknown>> = kinds.filter(
  (kind): kind is ListedKind<unknown> => kind.list !== undefined
)

const byName = new Map(kinds.map((kind) => [kind.name, kind]))

/** `undefined` for one of a later version. */
export const kindNamed = (name: string): Kind<unknown> | undefined => byName.get(name)

/**
 * The same record with nothing in its `data` that names a person; of a kind that is not known, nothing at all. Metadata is
 * whatever the app, or who made the checkout, has written there, so it goes, but for what this program has written.
 */
export const withoutPerson = <Row extends { readonly kind: string; readonly data: string }>(row: Row): Row => {
  const kind = kindNamed(row.kind)
  return { ...row, data: kind === undefined ? "{}" : blanked(row.data, ["metadata", ...kind.personal], isOwnMetadata) }
}

/** The same with nothing that names the app's user either; that a checkout of its was recorded stays. */
export const withoutUser = <Row extends { readonly kind: string; readonly data: string }>(row: Row): Row => {
  const paths = ["metadata", ...(kindNamed(row.kind)?.userIds ?? [])]
  return { ...row, data: blanked(withoutPerson(row).data, paths, isRecordedMark) }
}

const byEventType = new Map(kinds.flatMap((kind) => kind.eventTypes.map((type) => [type, kind] as const)))

/** The kind whose objects events of this type carry. */
export const kindOfEvent = (type: string): Kind<unknown> | undefined => byEventType.get(type)
