/** Which of the known names somebody may have meant who wrote another one. */

/** `undefined` when none is near: a wrong guess costs more time than none. */
export const nearestName = (written: string, names: ReadonlyArray<string>): string | undefined => {
  const most = Math.max(1, Math.floor(written.length / 3))
  const begun = names.find((name) => written.length >= 4 && plain(name).startsWith(plain(written)))
  if (begun !== undefined) return begun
  let nearest: { readonly name: string; readonly distance: number } | undefined
  for (const name of names) {
    const distance = distanceBetween(plain(written), plain(name))
    if (distance <= most && (nearest === undefined || distance < nearest.distance)) nearest = { name, distance }
  }
  return nearest?.name
}

/** Case and separators are what one gets wrong first. */
const plain = (name: string): string => name.toLowerCase().replace(/[-_\s]/g, "")

// Longer ones are no misspelt names, and comparing takes time by the product of the lengths.
const longestName = 64

/** How many letters have to be added, left out, changed or swapped with their neighbours. */
const distanceBetween = (a: string, b: string): number => {
  if (a.length > longestName || b.length > longestName) return Number.POSITIVE_INFINITY
  let beforeLast: ReadonlyArray<number> = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1]
      let least = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (isSame ? 0 : 1))
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        least = Math.min(least, at(beforeLast, column - 2) + 1)
      }
      current.push(least)
    }
    beforeLast = last
    last = current
  }
  return at(last, b.length)
}

const at = (numbers: ReadonlyArray<number>, index: number): number => numbers[index] ?? Number.POSITIVE_INFINITY
