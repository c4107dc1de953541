/** `npm run bench`: measures, prints a table, and one JSON object as the last line. */
import { parseArgs } from "node:util"
import { type Findings, type Scale, type StoreName, storeNames, together } from "./Bench.ts"
import { parts } from "./parts/parts.ts"
import { lastLine, table } from "./report.ts"

/** The command was wrong; the sentence says how. */
class WrongCommand extends Error {}

const help = `npm run bench -- [--only PART,...] [--store NAME] [--quick] [--write]

  --only PARTS    some of ${parts.map(({ name }) => name).join(", ")}; all unless given
  --store NAME    ${storeNames.join(", ")}; all of them unless given. A server is started and thrown away, unless
                  TEST_POSTGRES_URL, TEST_MYSQL_URL or TEST_MARIADB_URL names one
  --quick         fewer and shorter turns
  --rounds N      so many turns of each subject
  --seconds S     so long a turn, about
  --write         also write the figures to docs/, which only a full run does by itself

The figures go to the standard output, the last line is one JSON object: {"ratios": …, "figures": …}.`

interface Command {
  readonly parts: typeof parts
  readonly stores: ReadonlyArray<StoreName>
  readonly scale: Scale
  readonly write: boolean
}

const read = (args: ReadonlyArray<string>): Command | "help" => {
  const { values } = parse(args)
  if (values.help === true) return "help"
  const quick = values.quick === true
  const names = values.only?.split(",").map((name) => name.trim())
  const unknown = names?.find((name) => !parts.some((part) => part.name === name))
  if (unknown !== undefined) {
    throw new WrongCommand(`There is no part "${unknown}"; there are ${parts.map(({ name }) => name).join(", ")}.`)
  }
  const store = storeNames.find((known) => known === values.store)
  if (values.store !== undefined && store === undefined) {
    throw new WrongCommand(`There is no store "${values.store}"; there are ${storeNames.join(", ")}.`)
  }
  const shortened = values.rounds !== undefined || values.seconds !== undefined
  return {
    parts: parts.filter(({ name }) => names === undefined || names.includes(name)),
    stores: store === undefined ? storeNames : [store],
    scale: {
      quick,
      rounds: positive("rounds", values.rounds) ?? (quick ? 3 : 5),
      seconds: positive("seconds", values.seconds) ?? (quick ? 1 : 3)
    },
    write: values.write === true || !(quick || shortened)
  }
}

const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: "string" },
        store: { type: "string" },
        quick: { type: "boolean" },
        rounds: { type: "string" },
        seconds: { type: "string" },
        write: { type: "boolean" },
        help: { type: "boolean", short: "h" }
      }
    })
  } catch (error) {
    throw new WrongCommand(error instanceof Error ? error.message : String(error))
  }
}

const positive = (option: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!(value > 0)) throw new WrongCommand(`--${option} must be a positive number, and is "${text}".`)
  return value
}

const progress = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  let command: Command | "help"
  try {
    command = read(args)
  } catch (error) {
    if (!(error instanceof WrongCommand)) throw error
    process.stderr.write(`${error.message} See npm run bench -- --help\n`)
    return 2
  }
  if (command === "help") {
    process.stdout.write(`${help}\n`)
    return 0
  }
  const { scale, stores } = command
  const found: Array<Findings> = []
  for (const part of command.parts) found.push(await part.run({ scale, stores, progress }))
  const findings = together(found)
  process.stdout.write(`${table(findings)}\n`)
  process.stdout.write(`${lastLine(findings)}\n`)
  return 0
}

// Throw-away servers do not keep the process alive, and it must not end before they are asked to.
process.exitCode = 1
const alive = setInterval(() => {}, 60_000)
try {
  process.exitCode = await main(process.argv.slice(2))
} finally {
  clearInterval(alive)
}
