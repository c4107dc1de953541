/** A table of rows in memory: by their key, and by what else they are looked up with, as a database's table has indexes. */

export interface MemoryTable<Row> {
  readonly get: (key: string) => Row | undefined
  readonly has: (key: string) => boolean
  /** Replaces what has the row's key. */
  readonly put: (row: Row) => void
  readonly delete: (key: string) => void
  readonly all: () => Array<Row>
  /** An index over the rows for which `columnOf` is not `null`. Made before the first row is put. */
  readonly indexedBy: (columnOf: (row: Row) => string | null) => MemoryIndex<Row>
}

export interface MemoryIndex<Row> {
  readonly of: (value: string) => Iterable<Row>
  readonly has: (value: string) => boolean
  /** All rows that it has, those of one value together. */
  readonly groups: () => Iterable<Iterable<Row>>
}

export const make = <Row>(keyOf: (row: Row) => string): MemoryTable<Row> => {
  const rows = new Map<string, Row>()
  const moves: Array<(key: string, before: Row | undefined, after: Row | undefined) => void> = []
  return {
    get: (key) => rows.get(key),
    has: (key) => rows.has(key),
    put: (row) => {
      const key = keyOf(row)
      const before = rows.get(key)
      rows.set(key, row)
      for (const move of moves) move(key, before, row)
    },
    delete: (key) => {
      const before = rows.get(key)
      rows.delete(key)
      if (before !== undefined) for (const move of moves) move(key, before, undefined)
    },
    all: () => [...rows.values()],
    indexedBy: (columnOf) => {
      const groups = new Map<string, Map<string, Row>>()
      moves.push((key, before, after) => {
        const left = before === undefined ? null : columnOf(before)
        const entered = after === undefined ? null : columnOf(after)
        if (left !== null && left !== entered) {
          const group = groups.get(left)
          group?.delete(key)
          if (group?.size === 0) groups.delete(left)
        }
        if (entered === null || after === undefined) return
        const group = groups.get(entered)
        if (group === undefined) groups.set(entered, new Map([[key, after]]))
        else group.set(key, after)
      })
      return {
        of: (value) => groups.get(value)?.values() ?? [],
        has: (value) => groups.has(value),
        groups: function* () {
          for (const group of groups.values()) yield group.values()
        }
      }
    }
  }
}
