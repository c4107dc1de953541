/** All kinds of Polar's objects that are kept. Another one is a module like these and a line here: docs/contributing.md. */
import type { Kind } from "./Kind.ts"
import { orderKind } from "./Order.ts"
import { refundKind } from "./Refund.ts"
import { subscriptionKind } from "./subscriptionKind.ts"

export const kinds: ReadonlyArray<Kind<unknown>> = [subscriptionKind, orderKind, refundKind]

const byName = new Map(kinds.map((kind) => [kind.name, kind]))

/** `undefined` for one of a later version. */
export const kindNamed = (name: string): Kind<unknown> | undefined => byName.get(name)

const byEventType = new Map(kinds.flatMap((kind) => kind.eventTypes.map((type) => [type, kind] as const)))

/** The kind whose objects events of this type carry. */
export const kindOfEvent = (type: string): Kind<unknown> | undefined => byEventType.get(type)
