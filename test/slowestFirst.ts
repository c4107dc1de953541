/**
 * In which order the files run. The slowest come first, so that at the end no worker is left with minutes of work while the
 * others have none. Vitest goes by what it measured before, and in a fresh clone by size: those that take longest are small,
 * because what they run stands elsewhere.
 */
import { relative } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** From half a minute on, as measured on two cores. Some mostly wait, and others compute meanwhile. */
const slowest = [
  "test/databases/mysql.test.ts",
  "test/databases/killOutage.test.ts",
  "test/databases/libsql.test.ts",
  "test/databases/poison.test.ts",
  "test/databases/server.test.ts",
  "test/databases/postgres.test.ts",
  "test/databases/prove.test.ts",
  "test/databases/mysql-deadlines.test.ts",
  "test/e2e/commands.test.ts",
  "test/store/pglite.test.ts",
  "test/prove/prove.test.ts",
  "test/prove/kill.test.ts",
  "test/store/store.test.ts"
]

export class SlowestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const place = ({ moduleId }: TestSpecification) => {
      const position = slowest.indexOf(relative(import.meta.dirname.replace(/\/test$/, ""), moduleId))
      return position === -1 ? slowest.length : position
    }
    // Sorting keeps the order of those in one place.
    return (await super.sort(files)).sort((a, b) => place(a) - place(b))
  }
}
