/** What the app sells, as its own records have it. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type Product, productKind } from "../records/Product.ts"
import type { Catalogue } from "../rules/catalogue.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { isPolarId } from "../values/ids.ts"

/** A product, and what it is asked for by. */
export interface SoldProduct extends Product {
  /** Its name in `products`, or its `metadata.key` at Polar, or its id where it has neither. */
  readonly key: string
}

export interface Products {
  /** By its name in `products`, its `metadata.key` or its id. None where no event has brought it yet. */
  readonly get: (idOrKey: string) => Effect.Effect<Option.Option<SoldProduct>, StoreError>
  /** What is for sale, the oldest first: not what is archived, and with a catalogue nothing but what it names. */
  readonly list: Effect.Effect<ReadonlyArray<SoldProduct>, StoreError>
}

interface Ports {
  readonly store: BillingStoreService
  readonly catalogue: Catalogue | undefined
}

const pageSize = 100

export const makeProducts = ({ catalogue, store }: Ports): Products => {
  const sold = (product: Product): SoldProduct => ({
    ...product,
    key: catalogue?.nameOf(product.id) ?? keyIn(product) ?? product.id
  })

  const forSale = Stream.paginateChunkEffect(undefined as string | undefined, (after) =>
    Effect.map(store.recordPage({ kind: productKind.name, which: "live", after, limit: pageSize }), (page) => [
      Chunk.fromIterable(page.flatMap(({ data }) => Option.toArray(productKind.fromStored(data)))),
      page.length < pageSize ? Option.none() : Option.fromNullable(page.at(-1)?.id)
    ])
  )

  const byId = (id: string) =>
    Effect.map(
      store.record(productKind, id),
      Option.map(({ value }) => value)
    )

  const find = (idOrKey: string): Effect.Effect<Option.Option<Product>, StoreError> => {
    const offered = catalogue?.offered(idOrKey)
    if (offered !== undefined) return byId(offered)
    return isPolarId(idOrKey)
      ? byId(idOrKey.toLowerCase())
      : Stream.runHead(Stream.filter(forSale, (product) => keyIn(product) === idOrKey))
  }

  return {
    get: (idOrKey) => Effect.map(find(idOrKey), Option.map(sold)),
    list: forSale.pipe(
      Stream.filter(({ id }) => catalogue === undefined || catalogue.ids.has(id)),
      Stream.map(sold),
      Stream.runCollect,
      Effect.map((all) => Chunk.toReadonlyArray(all).toSorted(oldestFirst))
    )
  }
}

const keyIn = ({ metadata }: Product): string | undefined => {
  const key = metadata["key"]
  return typeof key === "string" && key !== "" ? key : undefined
}

const oldestFirst = (a: Product, b: Product): number =>
  (a.createdAt?.getTime() ?? 0) - (b.createdAt?.getTime() ?? 0) || (a.id < b.id ? -1 : 1)
