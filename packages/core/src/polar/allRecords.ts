/** All of Polar's records of a kind that a filter leaves, page by page: for filters that leave few. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ListedKind } from "../records/Kind.ts"
import type { PolarClient, RecordFilter, SnapshotPage } from "./PolarClient.ts"
import type { PolarError } from "./PolarError.ts"

export type ListedRecords = Omit<SnapshotPage, "isLast">

export const allRecords = (
  client: typeof PolarClient.Service,
  kind: ListedKind<unknown>,
  filter: RecordFilter
): Effect.Effect<ListedRecords, PolarError> =>
  Stream.paginateChunkEffect(1, (page) =>
    Effect.map(client.recordPage(kind, filter, page), ({ isLast, snapshots, unreadable }) => [
      Chunk.of({ snapshots, unreadable }),
      isLast ? Option.none() : Option.some(page + 1)
    ])
  ).pipe(
    Stream.runCollect,
    Effect.map((pages) => together(Chunk.toReadonlyArray(pages)))
  )

export const together = (pages: ReadonlyArray<ListedRecords>): ListedRecords => ({
  snapshots: pages.flatMap(({ snapshots }) => snapshots),
  unreadable: pages.flatMap(({ unreadable }) => unreadable)
})
